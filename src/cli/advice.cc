#include "cli/advice.h"

namespace talosmq::cli {

std::string_view AdviceFor(Reason reason) {
  switch (reason) {
    case Reason::kUnavailable:
      return "is talosmqd running there? Start it, or name another with --server HOST:PORT";
    case Reason::kDeadlineExceeded:
      return "the server did not answer in time; try again, or look at its log";
    case Reason::kUnknownTopic:
      return "`talosmq topic list` shows the topics there are";
    case Reason::kTopicExists:
      return "`talosmq topic describe NAME` shows the one there is";
    case Reason::kTopicDeleting:
      return "wait until it has gone from `talosmq topic list`";
    case Reason::kUnknownPartition:
      return "`talosmq topic describe NAME` shows the partitions";
    case Reason::kOffsetOutOfRange:
      return "`talosmq topic describe NAME` shows where each log begins and ends";
    case Reason::kUnknownDumpJob:
      return "`talosmq dump list` shows the jobs there are";
    case Reason::kDumpJobExists:
      return "`talosmq dump describe NAME` shows the one there is";
    case Reason::kUnknownGroup:
      return "`talosmq group list` shows the groups there are";
    case Reason::kGroupNotEmpty:
      return "`talosmq group describe GROUP` shows its members; stop them, or use --force";
    case Reason::kUnsupportedVersion:
      return "use a talosmq of the server's version";
    case Reason::kCoordinatorNotAvailable:
    case Reason::kRebalanceInProgress:
    case Reason::kInstanceInUse:
    case Reason::kOverloaded:
    case Reason::kNotEnoughReplicas:
    case Reason::kMetadataUnavailable:
    case Reason::kConflict:
    case Reason::kShuttingDown:
      return "nothing was changed; try again";
    case Reason::kStorageFenced:
      return "the server stopped writing to this log after a disk error; look at its log";
    case Reason::kStorageFull:
      return "nothing was stored; free space on the server's disk, or delete topics: it goes on by "
             "itself";
    case Reason::kCorruptData:
      return "`talosmq log verify DATA_DIR` on the server's machine shows what is damaged; "
             "`talosmq cluster health` shows how readers may go on";
    case Reason::kNone:
    case Reason::kInvalidArgument:
    case Reason::kUnknownTopicId:
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
    case Reason::kOutOfOrderSequence:
    case Reason::kInvalidProducerEpoch:
    case Reason::kInvalidDumpJob:
    case Reason::kUnimplemented:
    case Reason::kInvalidGroup:
    case Reason::kUnknownMember:
    case Reason::kMemberFenced:
    case Reason::kIllegalGeneration:
    case Reason::kNotOwner:
    case Reason::kGroupKindMismatch:
    case Reason::kInconsistentProtocol:
    case Reason::kMemberIdRequired:
    case Reason::kGroupFull:
    case Reason::kInvalidSessionTimeout:
    case Reason::kNotLeader:
    case Reason::kFencedEpoch:
    case Reason::kUnknownEpoch:
    case Reason::kInternal:
    case Reason::kMaybeStored:
    case Reason::kClosed:
    case Reason::kCancelled:
      return "";
  }
  return "";
}

}  // namespace talosmq::cli
