#include "talosmq/error.h"

#include "base/text.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

#include <vector>

namespace talosmq {
namespace {

constexpr absl::string_view kReasonPayload = "talosmq/reason";
constexpr absl::string_view kLeaderPayload = "talosmq/leader";
constexpr absl::string_view kRetryAfterPayload = "talosmq/retry-after-ms";
constexpr absl::string_view kCorruptRangePayload = "talosmq/corrupt-range";

absl::StatusCode CodeOf(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return absl::StatusCode::kOk;
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
      return absl::StatusCode::kInvalidArgument;
    case Reason::kUnknownTopic:
    case Reason::kUnknownTopicId:
    case Reason::kUnknownPartition:
    case Reason::kUnknownDumpJob:
    case Reason::kUnknownGroup:
    case Reason::kUnknownMember:
      return absl::StatusCode::kNotFound;
    case Reason::kTopicExists:
    case Reason::kDumpJobExists:
      return absl::StatusCode::kAlreadyExists;
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
      return absl::StatusCode::kFailedPrecondition;
    case Reason::kOffsetOutOfRange:
      return absl::StatusCode::kOutOfRange;
    case Reason::kUnimplemented:
      return absl::StatusCode::kUnimplemented;
    case Reason::kOverloaded:
    case Reason::kStorageFull:
    case Reason::kGroupFull:
      return absl::StatusCode::kResourceExhausted;
    case Reason::kShuttingDown:
    case Reason::kUnavailable:
    case Reason::kNotEnoughReplicas:
    case Reason::kMetadataUnavailable:
    case Reason::kStorageFenced:
    case Reason::kCoordinatorNotAvailable:
    case Reason::kRebalanceInProgress:
    case Reason::kInstanceInUse:
      return absl::StatusCode::kUnavailable;
    case Reason::kDeadlineExceeded:
      return absl::StatusCode::kDeadlineExceeded;
    case Reason::kConflict:
      return absl::StatusCode::kAborted;
    case Reason::kCorruptData:
      return absl::StatusCode::kDataLoss;
    case Reason::kInternal:
      return absl::StatusCode::kInternal;
    case Reason::kMaybeStored:
      return absl::StatusCode::kUnknown;
    case Reason::kCancelled:
      return absl::StatusCode::kCancelled;
  }
  return absl::StatusCode::kInternal;
}

std::string PayloadOf(const absl::Status& status, absl::string_view type) {
  const auto payload = status.GetPayload(type);
  return payload.has_value() ? std::string(*payload) : std::string();
}

}  // namespace

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "None";
    case Reason::kInvalidArgument:
      return "InvalidArgument";
    case Reason::kUnknownTopic:
      return "UnknownTopic";
    case Reason::kUnknownTopicId:
      return "UnknownTopicId";
    case Reason::kUnknownPartition:
      return "UnknownPartition";
    case Reason::kTopicExists:
      return "TopicExists";
    case Reason::kInvalidTopicName:
      return "InvalidTopicName";
    case Reason::kInvalidPartitions:
      return "InvalidPartitions";
    case Reason::kInvalidReplicas:
      return "InvalidReplicas";
    case Reason::kInvalidConfig:
      return "InvalidConfig";
    case Reason::kTopicDeleting:
      return "TopicDeleting";
    case Reason::kOffsetOutOfRange:
      return "OffsetOutOfRange";
    case Reason::kCorruptBatch:
      return "CorruptBatch";
    case Reason::kInvalidRecord:
      return "InvalidRecord";
    case Reason::kInvalidTimestamp:
      return "InvalidTimestamp";
    case Reason::kBatchTooLarge:
      return "BatchTooLarge";
    case Reason::kUnsupportedCompression:
      return "UnsupportedCompression";
    case Reason::kInvalidAcks:
      return "InvalidAcks";
    case Reason::kOutOfOrderSequence:
      return "OutOfOrderSequence";
    case Reason::kInvalidProducerEpoch:
      return "InvalidProducerEpoch";
    case Reason::kUnknownDumpJob:
      return "UnknownDumpJob";
    case Reason::kDumpJobExists:
      return "DumpJobExists";
    case Reason::kInvalidDumpJob:
      return "InvalidDumpJob";
    case Reason::kUnsupportedVersion:
      return "UnsupportedVersion";
    case Reason::kUnimplemented:
      return "Unimplemented";
    case Reason::kUnknownGroup:
      return "UnknownGroup";
    case Reason::kInvalidGroup:
      return "InvalidGroup";
    case Reason::kUnknownMember:
      return "UnknownMember";
    case Reason::kMemberFenced:
      return "MemberFenced";
    case Reason::kIllegalGeneration:
      return "IllegalGeneration";
    case Reason::kNotOwner:
      return "NotOwner";
    case Reason::kGroupNotEmpty:
      return "GroupNotEmpty";
    case Reason::kGroupKindMismatch:
      return "GroupKindMismatch";
    case Reason::kInconsistentProtocol:
      return "InconsistentProtocol";
    case Reason::kMemberIdRequired:
      return "MemberIdRequired";
    case Reason::kGroupFull:
      return "GroupFull";
    case Reason::kInvalidSessionTimeout:
      return "InvalidSessionTimeout";
    case Reason::kNotLeader:
      return "NotLeader";
    case Reason::kFencedEpoch:
      return "FencedEpoch";
    case Reason::kUnknownEpoch:
      return "UnknownEpoch";
    case Reason::kOverloaded:
      return "Overloaded";
    case Reason::kShuttingDown:
      return "ShuttingDown";
    case Reason::kUnavailable:
      return "Unavailable";
    case Reason::kDeadlineExceeded:
      return "DeadlineExceeded";
    case Reason::kNotEnoughReplicas:
      return "NotEnoughReplicas";
    case Reason::kMetadataUnavailable:
      return "MetadataUnavailable";
    case Reason::kConflict:
      return "Conflict";
    case Reason::kCoordinatorNotAvailable:
      return "CoordinatorNotAvailable";
    case Reason::kRebalanceInProgress:
      return "RebalanceInProgress";
    case Reason::kInstanceInUse:
      return "InstanceInUse";
    case Reason::kStorageFenced:
      return "StorageFenced";
    case Reason::kCorruptData:
      return "CorruptData";
    case Reason::kStorageFull:
      return "StorageFull";
    case Reason::kInternal:
      return "Internal";
    case Reason::kMaybeStored:
      return "MaybeStored";
    case Reason::kClosed:
      return "Closed";
    case Reason::kCancelled:
      return "Cancelled";
  }
  return "Internal";
}

bool IsRetrySafe(Reason reason) {
  switch (reason) {
    case Reason::kNotLeader:
    case Reason::kFencedEpoch:
    case Reason::kUnknownEpoch:
    case Reason::kOverloaded:
    case Reason::kShuttingDown:
    case Reason::kNotEnoughReplicas:
    case Reason::kStorageFull:
    case Reason::kCoordinatorNotAvailable:
    case Reason::kRebalanceInProgress:
    case Reason::kInstanceInUse:
      return true;
    case Reason::kNone:
    case Reason::kInvalidArgument:
    case Reason::kUnknownTopic:
    case Reason::kUnknownTopicId:
    case Reason::kUnknownPartition:
    case Reason::kTopicExists:
    case Reason::kInvalidTopicName:
    case Reason::kInvalidPartitions:
    case Reason::kInvalidReplicas:
    case Reason::kInvalidConfig:
    case Reason::kTopicDeleting:
    case Reason::kOffsetOutOfRange:
    case Reason::kCorruptBatch:
    case Reason::kInvalidRecord:
    case Reason::kInvalidTimestamp:
    case Reason::kBatchTooLarge:
    case Reason::kUnsupportedCompression:
    case Reason::kInvalidAcks:
    case Reason::kOutOfOrderSequence:
    case Reason::kInvalidProducerEpoch:
    case Reason::kUnknownDumpJob:
    case Reason::kDumpJobExists:
    case Reason::kInvalidDumpJob:
    case Reason::kUnsupportedVersion:
    case Reason::kUnimplemented:
    case Reason::kUnknownGroup:
    case Reason::kInvalidGroup:
    case Reason::kUnknownMember:
    case Reason::kMemberFenced:
    case Reason::kIllegalGeneration:
    case Reason::kNotOwner:
    case Reason::kGroupNotEmpty:
    case Reason::kGroupKindMismatch:
    case Reason::kInconsistentProtocol:
    case Reason::kMemberIdRequired:
    case Reason::kGroupFull:
    case Reason::kInvalidSessionTimeout:
    case Reason::kUnavailable:
    case Reason::kDeadlineExceeded:
    case Reason::kMetadataUnavailable:
    case Reason::kConflict:
    case Reason::kStorageFenced:
    case Reason::kCorruptData:
    case Reason::kInternal:
    case Reason::kMaybeStored:
    case Reason::kClosed:
    case Reason::kCancelled:
      return false;
  }
  return false;
}

absl::Status MakeError(Reason reason, std::string_view message) {
  absl::Status status(CodeOf(reason), base::ToAbsl(message));
  status.SetPayload(kReasonPayload, absl::Cord(absl::StrCat(static_cast<int>(reason))));
  return status;
}

Reason ReasonOf(const absl::Status& status) {
  if (status.ok()) return Reason::kNone;
  int number = 0;
  if (!absl::SimpleAtoi(PayloadOf(status, kReasonPayload), &number)) return Reason::kInternal;
  return static_cast<Reason>(number);
}

absl::Status MakeOverloaded(std::string_view message, absl::Duration retry_after) {
  absl::Status status = MakeError(Reason::kOverloaded, message);
  status.SetPayload(kRetryAfterPayload,
                    absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(retry_after))));
  return status;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& status) {
  int64_t milliseconds = 0;
  if (!absl::SimpleAtoi(PayloadOf(status, kRetryAfterPayload), &milliseconds)) return std::nullopt;
  return absl::Milliseconds(milliseconds);
}

absl::Status MakeNotLeader(std::string_view message, std::string_view leader_address) {
  absl::Status status = MakeError(Reason::kNotLeader, message);
  status.SetPayload(kLeaderPayload, absl::Cord(base::ToAbsl(leader_address)));
  return status;
}

std::string LeaderAddressOf(const absl::Status& status) {
  return PayloadOf(status, kLeaderPayload);
}

absl::Status MakeCorruptData(std::string_view message, const CorruptRange& range) {
  absl::Status status = MakeError(Reason::kCorruptData, message);
  status.SetPayload(kCorruptRangePayload,
                    absl::Cord(absl::StrCat(range.first.value(), "..", range.next.value())));
  return status;
}

std::optional<CorruptRange> CorruptRangeOf(const absl::Status& status) {
  const std::vector<std::string> ends =
      absl::StrSplit(PayloadOf(status, kCorruptRangePayload), "..");
  int64_t first = 0;
  int64_t next = 0;
  if (ends.size() != 2 || !absl::SimpleAtoi(ends[0], &first) || !absl::SimpleAtoi(ends[1], &next)) {
    return std::nullopt;
  }
  return CorruptRange{.first = Offset(first), .next = Offset(next)};
}

}  // namespace talosmq
