#include "sink/source_errors.h"

namespace talosmq::sink {

bool IsTransientSourceError(Reason reason) {
  switch (reason) {
    case Reason::kNotLeader:
    case Reason::kFencedEpoch:
    case Reason::kUnknownEpoch:
    case Reason::kOverloaded:
    case Reason::kShuttingDown:
    case Reason::kUnavailable:
    case Reason::kDeadlineExceeded:
    case Reason::kNotEnoughReplicas:
    case Reason::kMetadataUnavailable:
    case Reason::kConflict:
    case Reason::kStorageFenced:
    case Reason::kStorageFull:
    case Reason::kCoordinatorNotAvailable:
    case Reason::kRebalanceInProgress:
    case Reason::kInstanceInUse:
    case Reason::kCancelled:
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
    case Reason::kCorruptData:
    case Reason::kInternal:
    case Reason::kMaybeStored:
    case Reason::kClosed:
      return false;
  }
  return false;
}

}  // namespace talosmq::sink
