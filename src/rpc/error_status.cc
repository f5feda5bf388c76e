#include "rpc/error_status.h"

#include "base/bytes.h"
#include "base/text.h"
#include "base/utf8.h"
#include "rpc/limits.h"

namespace talosmq::rpc {
namespace {

/// The message, cut between two characters: protobuf refuses a string that is not UTF-8, and with
/// it the reason.
std::string WordsOf(const absl::Status& status) {
  constexpr size_t kCharacterBytesMax = 4;
  const std::string_view message =
      base::FromAbsl(status.message()).substr(0, kErrorMessageBytesMax);
  for (size_t cut = 0; cut < kCharacterBytesMax && cut <= message.size(); ++cut) {
    const std::string_view words = message.substr(0, message.size() - cut);
    if (base::IsUtf8(words)) return std::string(words);
  }
  return base::Printable(message, kErrorMessageBytesMax);
}

}  // namespace

grpc::StatusCode GrpcCodeOf(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return grpc::StatusCode::OK;
    case Reason::kInvalidArgument:
    case Reason::kInvalidTopicName:
    case Reason::kInvalidPartitions:
    case Reason::kInvalidReplicas:
    case Reason::kInvalidConfig:
    case Reason::kCorruptBatch:
    case Reason::kInvalidRecord:
    case Reason::kInvalidTimestamp:
    case Reason::kBatchTooLarge:
    case Reason::kUnsupportedCompression:
    case Reason::kInvalidAcks:
    case Reason::kInvalidDumpJob:
    case Reason::kInvalidGroup:
    case Reason::kInconsistentProtocol:
    case Reason::kInvalidSessionTimeout:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case Reason::kUnknownTopic:
    case Reason::kUnknownTopicId:
    case Reason::kUnknownPartition:
    case Reason::kUnknownDumpJob:
    case Reason::kUnknownGroup:
    case Reason::kUnknownMember:
      return grpc::StatusCode::NOT_FOUND;
    case Reason::kTopicExists:
    case Reason::kDumpJobExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case Reason::kTopicDeleting:
    case Reason::kOutOfOrderSequence:
    case Reason::kInvalidProducerEpoch:
    case Reason::kUnsupportedVersion:
    case Reason::kNotLeader:
    case Reason::kFencedEpoch:
    case Reason::kUnknownEpoch:
    case Reason::kMemberFenced:
    case Reason::kIllegalGeneration:
    case Reason::kNotOwner:
    case Reason::kGroupNotEmpty:
    case Reason::kGroupKindMismatch:
    case Reason::kMemberIdRequired:
    case Reason::kClosed:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case Reason::kOffsetOutOfRange:
      return grpc::StatusCode::OUT_OF_RANGE;
    case Reason::kUnimplemented:
      return grpc::StatusCode::UNIMPLEMENTED;
    case Reason::kOverloaded:
    case Reason::kStorageFull:
    case Reason::kGroupFull:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Reason::kShuttingDown:
    case Reason::kUnavailable:
    case Reason::kNotEnoughReplicas:
    case Reason::kMetadataUnavailable:
    case Reason::kStorageFenced:
    case Reason::kCoordinatorNotAvailable:
    case Reason::kRebalanceInProgress:
    case Reason::kInstanceInUse:
      return grpc::StatusCode::UNAVAILABLE;
    case Reason::kDeadlineExceeded:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case Reason::kConflict:
      return grpc::StatusCode::ABORTED;
    case Reason::kCorruptData:
      return grpc::StatusCode::DATA_LOSS;
    case Reason::kInternal:
      return grpc::StatusCode::INTERNAL;
    case Reason::kMaybeStored:
      return grpc::StatusCode::UNKNOWN;
    case Reason::kCancelled:
      return grpc::StatusCode::CANCELLED;
  }
  return grpc::StatusCode::INTERNAL;
}

void FillError(const absl::Status& status, v1::Error& error) {
  const Reason reason = ReasonOf(status);
  error.set_reason(static_cast<v1::Reason>(reason));
  error.set_retry_safe(IsRetrySafe(reason));
  error.set_message(WordsOf(status));
  error.set_leader_address(LeaderAddressOf(status));
  if (reason == Reason::kOverloaded) {
    const absl::Duration wait = RetryAfterOf(status).value_or(kRetryAfterDefault);
    error.set_retry_after_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(wait)));
  }
  if (const auto range = CorruptRangeOf(status)) {
    FillRange(*range, *error.mutable_corrupt_range());
  }
}

void FillRange(const CorruptRange& range, v1::CorruptRange& to) {
  to.set_first_offset(range.first.value());
  to.set_next_offset(range.next.value());
}

grpc::Status EndOfCall(grpc::CallbackServerContext& context, const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  v1::Error error;
  FillError(status, error);
  context.AddTrailingMetadata(kErrorTrailer, error.SerializeAsString());
  return {GrpcCodeOf(ReasonOf(status)), WordsOf(status)};
}

}  // namespace talosmq::rpc
