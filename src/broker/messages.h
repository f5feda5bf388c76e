#pragma once

#include "base/bytes.h"
#include "base/executor.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace talosmq::broker {

enum class Acks {
  kAll,     ///< Durable on every in-sync replica.
  kLeader,  ///< Durable on the leader.
  kNone,    ///< No answer is wanted; errors are only counted. `done` runs as for kAll.
};

/// Who appends: the system's own topics take batches of the system only.
enum class Origin { kClient, kSystem };

/// One batch for one partition. `batch` has one owner: the broker patches and keeps it.
struct AppendRequest {
  TopicPartition target;
  LeaderEpoch known_epoch = kNoEpoch;  ///< kNoEpoch: not checked.
  Acks acks = Acks::kAll;
  Origin origin = Origin::kClient;
  absl::Duration deadline = absl::InfiniteDuration();  ///< By Clock::Monotonic().
  base::Buffer batch;
};

/// Answer to one batch. The other fields hold only when the status is OK, `epoch` and `log_start`
/// whenever the partition was found.
struct AppendOutcome {
  absl::Status status;
  Offset base_offset;
  Offset last_offset;
  LeaderEpoch epoch = kNoEpoch;
  Offset log_start;
  std::optional<absl::Time> log_append_time;  ///< Only for LogAppendTime topics.
  bool is_duplicate = false;
};

struct FetchRequest {
  TopicPartition source;
  LeaderEpoch known_epoch = kNoEpoch;
  Offset offset;
  int64_t bytes_max = 0;  ///< At least one batch comes even if it is larger.
  /// Waits until then for the first record at `offset`, then answers with nothing; by Monotonic().
  absl::Duration wait_until = absl::ZeroDuration();
};

struct FetchOutcome {
  absl::Status status;
  std::vector<base::Buffer> chunks;  ///< Whole batches, in order; the first may begin below offset.
  Offset next_offset;
  Offset log_start;
  Offset high_watermark;
  LeaderEpoch epoch = kNoEpoch;
};

/// Names a waiting fetch so that it can be given up.
enum class FetchTicket : uint64_t {};

struct NamedFetch {
  TopicPartition source;
  FetchTicket ticket;
};

struct FromStart {};
struct FromEnd {};
using OffsetSpec = std::variant<FromStart, FromEnd, absl::Time>;

struct OffsetQuery {
  TopicPartition source;
  LeaderEpoch known_epoch = kNoEpoch;
  OffsetSpec spec;
};

struct OffsetOutcome {
  absl::Status status;
  Offset offset;  ///< FromEnd: the high watermark. A time: the first record at or after it, else
                  ///< the high watermark.
  Offset log_start;
  Offset high_watermark;  ///< As of when the search began.
  Offset log_end;
  LeaderEpoch epoch = kNoEpoch;
};

struct RecordDeletion {
  TopicPartition target;
  /// Everything below goes; in [0, high watermark]. Nothing: everything below the high watermark.
  std::optional<Offset> before;
};

struct DeletionOutcome {
  absl::Status status;
  Offset log_start;  ///< From now on, durably; above `before` when it was there already.
};

/// What a copy of a partition's records has to fit.
struct HistoryQuery {
  TopicPartition source;
  LeaderEpoch epoch;
  LeaderEpoch known_epoch = kNoEpoch;
};

struct EpochEnd {
  LeaderEpoch epoch;
  Offset end;  ///< Where the next epoch began; the log end while there is no next one.
};

struct HistoryOutcome {
  absl::Status status;
  /// One past the last committed offset that was written under `epoch`; nothing: none was.
  std::optional<Offset> epoch_end = {};
  /// The last epoch up to the one asked for, as far as the log goes back; of an older one, where
  /// the log's first epoch began. Nothing: the one asked for is none, or newer than the leader's.
  std::optional<EpochEnd> last_epoch = {};
  /// Below it compaction has taken records, tombstones perhaps among them.
  Offset compacted_end = {};
  Offset log_start = {};
  Offset high_watermark = {};
};

/// An idempotent producer, as a partition knows it.
struct ProducerDescription {
  ProducerId id = kNoProducer;
  int16_t epoch = -1;
  int32_t last_sequence = -1;
  int64_t last_timestamp_ms = -1;  ///< The newest of its last batch.
};

struct ProducerIdentity {
  ProducerId id = kNoProducer;
  int16_t epoch = 0;
};

/// Produce, fetch and offsets, whatever protocol asked. The high watermark is the only bound of
/// reads and acknowledgements, also with one replica (G2).
///
/// Thread-safe. Every callback runs exactly once, on one of the broker's executors (a partition's
/// answer: on its shard) or, when the call is refused at once, on the calling thread; it must not
/// block. After Stop() every call answers kShuttingDown.
class MessageService {
 public:
  virtual ~MessageService() = default;

  /// Copies nothing: checks the batch on the calling thread (record::ValidateClientBatch), then
  /// hands it to the partition's shard. Batches of one caller for one partition are appended in
  /// the order of the calls. An append whose deadline has passed when its turn comes is refused
  /// with kDeadlineExceeded and never runs.
  virtual void Append(AppendRequest request, base::Callback<AppendOutcome> done) = 0;

  /// Answers once there is a committed record at `offset` or the wait is over.
  virtual FetchTicket Fetch(FetchRequest request, base::Callback<FetchOutcome> done) = 0;
  /// As Fetch() of each request, with its index for `done`, but however many there are, they take
  /// one place in the queue of each shard, so that one caller leaves the others theirs. `done` may
  /// run on several threads at once and before this returns. The tickets are in the order of the
  /// requests.
  virtual std::vector<FetchTicket> FetchAll(
      std::vector<FetchRequest> requests,
      std::function<void(size_t index, FetchOutcome outcome)> done) = 0;
  /// Those that still wait answer kCancelled; any other ticket is ignored. One place in the queue
  /// of each shard, too.
  virtual void CancelFetches(const std::vector<NamedFetch>& fetches) = 0;

  virtual void FindOffset(OffsetQuery query, base::Callback<OffsetOutcome> done) = 0;

  virtual void FindHistory(HistoryQuery query, base::Callback<HistoryOutcome> done) = 0;

  /// Those of the partition that have not been silent for so long that they are forgotten.
  virtual void DescribeProducers(
      const TopicPartition& source,
      base::Callback<absl::StatusOr<std::vector<ProducerDescription>>> done) = 0;

  /// Answers once the log durably starts there and no reader sees anything below any more.
  /// Repeating it is fine.
  virtual void DeleteRecords(RecordDeletion deletion, base::Callback<DeletionOutcome> done) = 0;

  virtual void InitProducer(base::Callback<absl::StatusOr<ProducerIdentity>> done) = 0;
};

}  // namespace talosmq::broker
