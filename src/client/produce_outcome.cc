#include "client/produce_outcome.h"

#include "talosmq/error.h"

namespace talosmq::client {

RefusalKind KindOf(const ProduceOutcome& outcome) {
  if (outcome.is_unknown) return RefusalKind::kUnknown;
  switch (ReasonOf(outcome.status)) {
    case Reason::kOutOfOrderSequence:
    case Reason::kInvalidProducerEpoch:
      return RefusalKind::kSequence;
    case Reason::kNotLeader:
    case Reason::kFencedEpoch:
    case Reason::kUnknownEpoch:
    case Reason::kTopicDeleting:  // Both are final only once the metadata says so too.
    case Reason::kUnknownTopicId:
    case Reason::kOverloaded:
    case Reason::kShuttingDown:
    case Reason::kNotEnoughReplicas:
    case Reason::kMetadataUnavailable:
    case Reason::kUnavailable:       // The stream ended before the batch had left.
    case Reason::kDeadlineExceeded:  // The broker did not begin in time.
    case Reason::kStorageFull:       // Until there is space again.
      return RefusalKind::kRetry;
    case Reason::kStorageFenced:  // The write may be found when the log is opened again.
    case Reason::kMaybeStored:
      return RefusalKind::kUnknown;
    case Reason::kNone:
    case Reason::kInvalidArgument:
    case Reason::kUnknownTopic:
    case Reason::kUnknownPartition:
    case Reason::kTopicExists:
    case Reason::kInvalidTopicName:
    case Reason::kInvalidPartitions:
    case Reason::kInvalidReplicas:
    case Reason::kInvalidConfig:
    case Reason::kOffsetOutOfRange:
    case Reason::kCorruptBatch:
    case Reason::kInvalidRecord:
    case Reason::kInvalidTimestamp:
    case Reason::kBatchTooLarge:
    case Reason::kUnsupportedCompression:
    case Reason::kInvalidAcks:
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
    case Reason::kCoordinatorNotAvailable:
    case Reason::kRebalanceInProgress:
    case Reason::kInstanceInUse:
    case Reason::kConflict:
    case Reason::kCorruptData:
    case Reason::kInternal:
    case Reason::kClosed:
    case Reason::kCancelled:
      return RefusalKind::kFinal;
  }
  return RefusalKind::kFinal;
}

bool AsksForNewMetadata(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  return reason == Reason::kNotLeader || reason == Reason::kFencedEpoch ||
         reason == Reason::kUnknownEpoch || reason == Reason::kUnknownTopicId ||
         reason == Reason::kTopicDeleting || reason == Reason::kUnavailable ||
         reason == Reason::kShuttingDown;
}

}  // namespace talosmq::client
