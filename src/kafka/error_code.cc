#include "kafka/error_code.h"

#include "talosmq/error.h"

#include <algorithm>
#include <iterator>

namespace talosmq::kafka {

ErrorCode ErrorCodeOf(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case Reason::kNone:
      return ErrorCode::kNone;
    case Reason::kInvalidArgument:
    case Reason::kUnknownDumpJob:
    case Reason::kDumpJobExists:
    case Reason::kInvalidDumpJob:
    case Reason::kConflict:
      return ErrorCode::kInvalidRequest;
    case Reason::kUnknownTopic:
    case Reason::kUnknownPartition:
    case Reason::kTopicDeleting:
      return ErrorCode::kUnknownTopicOrPartition;
    case Reason::kUnknownTopicId:
      return ErrorCode::kUnknownTopicId;
    case Reason::kTopicExists:
      return ErrorCode::kTopicAlreadyExists;
    case Reason::kInvalidTopicName:
      return ErrorCode::kInvalidTopic;
    case Reason::kInvalidPartitions:
      return ErrorCode::kInvalidPartitions;
    case Reason::kInvalidReplicas:
      return ErrorCode::kInvalidReplicationFactor;
    case Reason::kInvalidConfig:
      return ErrorCode::kInvalidConfig;
    case Reason::kOffsetOutOfRange:
      return ErrorCode::kOffsetOutOfRange;
    case Reason::kCorruptBatch:
      return ErrorCode::kCorruptMessage;
    case Reason::kInvalidRecord:
      return ErrorCode::kInvalidRecord;
    case Reason::kInvalidTimestamp:
      return ErrorCode::kInvalidTimestamp;
    case Reason::kBatchTooLarge:
      return ErrorCode::kMessageTooLarge;
    case Reason::kUnsupportedCompression:
      return ErrorCode::kUnsupportedCompressionType;
    case Reason::kInvalidAcks:
      return ErrorCode::kInvalidRequiredAcks;
    case Reason::kOutOfOrderSequence:
      return ErrorCode::kOutOfOrderSequenceNumber;
    case Reason::kInvalidProducerEpoch:
      return ErrorCode::kInvalidProducerEpoch;
    case Reason::kUnsupportedVersion:
    case Reason::kUnimplemented:
      return ErrorCode::kUnsupportedVersion;
    case Reason::kUnknownGroup:
      return ErrorCode::kGroupIdNotFound;
    case Reason::kInvalidGroup:
      return ErrorCode::kInvalidGroupId;
    case Reason::kUnknownMember:
    case Reason::kNotOwner:
      return ErrorCode::kUnknownMemberId;
    case Reason::kMemberFenced:
    case Reason::kInstanceInUse:
      return ErrorCode::kFencedInstanceId;
    case Reason::kIllegalGeneration:
      return ErrorCode::kIllegalGeneration;
    case Reason::kGroupNotEmpty:
      return ErrorCode::kNonEmptyGroup;
    case Reason::kGroupKindMismatch:
    case Reason::kInconsistentProtocol:
      return ErrorCode::kInconsistentGroupProtocol;
    case Reason::kMemberIdRequired:
      return ErrorCode::kMemberIdRequired;
    case Reason::kGroupFull:
      return ErrorCode::kGroupMaxSizeReached;
    case Reason::kInvalidSessionTimeout:
      return ErrorCode::kInvalidSessionTimeout;
    case Reason::kNotLeader:
      return ErrorCode::kNotLeaderOrFollower;
    case Reason::kFencedEpoch:
      return ErrorCode::kFencedLeaderEpoch;
    case Reason::kUnknownEpoch:
      return ErrorCode::kUnknownLeaderEpoch;
    case Reason::kShuttingDown:
    case Reason::kUnavailable:
    case Reason::kMetadataUnavailable:
      return ErrorCode::kLeaderNotAvailable;
    case Reason::kOverloaded:
    case Reason::kDeadlineExceeded:
    case Reason::kMaybeStored:
    case Reason::kCancelled:
    case Reason::kClosed:
      return ErrorCode::kRequestTimedOut;
    case Reason::kNotEnoughReplicas:
      return ErrorCode::kNotEnoughReplicas;
    case Reason::kCoordinatorNotAvailable:
      return ErrorCode::kCoordinatorNotAvailable;
    case Reason::kRebalanceInProgress:
      return ErrorCode::kRebalanceInProgress;
    case Reason::kStorageFenced:
    case Reason::kCorruptData:
    case Reason::kStorageFull:
      return ErrorCode::kKafkaStorageError;
    case Reason::kInternal:
      return ErrorCode::kUnknownServerError;
  }
  return ErrorCode::kUnknownServerError;
}

ErrorCode GroupErrorCodeOf(const absl::Status& status) {
  constexpr ErrorCode kOfTheLog[] = {
      ErrorCode::kLeaderNotAvailable, ErrorCode::kNotLeaderOrFollower,
      ErrorCode::kRequestTimedOut,    ErrorCode::kNotEnoughReplicas,
      ErrorCode::kKafkaStorageError,  ErrorCode::kFencedLeaderEpoch,
      ErrorCode::kUnknownLeaderEpoch};
  const ErrorCode code = ErrorCodeOf(status);
  return std::ranges::find(kOfTheLog, code) == std::end(kOfTheLog)
             ? code
             : ErrorCode::kCoordinatorNotAvailable;
}

}  // namespace talosmq::kafka
