#pragma once

#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace talosmq {

/// Why a call failed, finer than the status code. The numbers are those of talosmq.v1.Reason and
/// never change their meaning.
enum class Reason {
  kNone = 0,
  // The request is wrong; sending it again cannot help.
  kInvalidArgument = 1,
  kUnknownTopic = 2,
  kUnknownTopicId = 3,
  kUnknownPartition = 4,
  kTopicExists = 5,
  kInvalidTopicName = 6,
  kInvalidPartitions = 7,
  kInvalidReplicas = 8,
  kInvalidConfig = 9,
  kTopicDeleting = 10,
  kOffsetOutOfRange = 11,
  kCorruptBatch = 12,
  kInvalidRecord = 13,
  kInvalidTimestamp = 14,
  kBatchTooLarge = 15,
  kUnsupportedCompression = 16,
  kInvalidAcks = 17,
  kOutOfOrderSequence = 18,
  kInvalidProducerEpoch = 19,
  kUnknownDumpJob = 20,
  kDumpJobExists = 21,
  kInvalidDumpJob = 22,
  kUnsupportedVersion = 23,
  kUnimplemented = 24,
  kUnknownGroup = 25,
  kInvalidGroup = 26,
  kUnknownMember = 27,
  kMemberFenced = 28,
  kIllegalGeneration = 29,
  kNotOwner = 30,
  kGroupNotEmpty = 31,
  kGroupKindMismatch = 32,
  kInconsistentProtocol = 33,
  kMemberIdRequired = 34,
  kGroupFull = 35,
  kInvalidSessionTimeout = 36,
  // Whom to ask, or what is known of the leader, has changed.
  kNotLeader = 40,
  kFencedEpoch = 41,
  kUnknownEpoch = 42,
  // The moment is wrong.
  kOverloaded = 60,
  kShuttingDown = 61,
  kUnavailable = 62,
  kDeadlineExceeded = 63,
  kNotEnoughReplicas = 64,
  kMetadataUnavailable = 65,
  kConflict = 66,
  kCoordinatorNotAvailable = 67,
  kRebalanceInProgress = 68,
  kInstanceInUse = 69,
  // The server is hurt.
  kStorageFenced = 80,
  kCorruptData = 81,
  kStorageFull = 82,
  kInternal = 83,
  // Said by the SDK itself.
  kMaybeStored = 100,
  kClosed = 101,
  kCancelled = 102,
};

/// CamelCase name without the k, for people and JSON: "NotLeader".
std::string_view ReasonName(Reason reason);

/// True when a call that failed for this reason has changed nothing and may be sent again as it is.
bool IsRetrySafe(Reason reason);

/// A status whose code follows from the reason. `message` says what, which object, expected, found.
absl::Status MakeError(Reason reason, std::string_view message);

/// The reason a status carries; kNone for OK, kInternal for a foreign status without one.
Reason ReasonOf(const absl::Status& status);

/// A kOverloaded error that tells how long to wait before the next try.
absl::Status MakeOverloaded(std::string_view message, absl::Duration retry_after);
/// How long the server asks to wait before the next try; nothing when it does not say.
std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

/// A kNotLeader error that tells who leads ("host:port"; empty when unknown).
absl::Status MakeNotLeader(std::string_view message, std::string_view leader_address);
/// The address in a kNotLeader error; empty when there is none.
std::string LeaderAddressOf(const absl::Status& status);

/// Offsets [first, next) of a partition that cannot be read, since what held them is damaged.
/// `next` is the first one behind the damage that can be read; the end of the log when there is
/// none.
struct CorruptRange {
  Offset first;
  Offset next;

  friend bool operator==(const CorruptRange&, const CorruptRange&) = default;
};
/// A kCorruptData error that tells which offsets cannot be read.
absl::Status MakeCorruptData(std::string_view message, const CorruptRange& range);
/// The offsets in a kCorruptData error; nothing when it does not name any.
std::optional<CorruptRange> CorruptRangeOf(const absl::Status& status);

}  // namespace talosmq
