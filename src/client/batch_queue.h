#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "client/buffer_budget.h"
#include "client/flush_tracker.h"
#include "record/batch.h"
#include "talosmq/producer.h"
#include "talosmq/record.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace talosmq::client {

/// Records of one partition that travel together. While open it is filled under its queue's lock,
/// once sealed it belongs to whoever took it.
struct Batch {
  Batch(record::Codec codec, size_t reserve_bytes) : builder(codec, reserve_bytes) {}

  record::BatchBuilder builder;
  std::vector<uint64_t> tags;          ///< One for each record, in order.
  std::shared_ptr<BudgetShare> share;  ///< Of the budget; also kept by `bytes`.
  int64_t generation = 0;              ///< Of FlushTracker.
  absl::Duration opened;               ///< Monotonic; its delivery timeout runs from here.
  int64_t last_timestamp_ms = 0;

  bool is_sealed = false;    ///< The fields below hold. Changed under the lock of the queue.
  absl::Status seal_status;  ///< Not OK: a compressor failed, `bytes` is void.
  base::Buffer bytes;
  record::ProducerStamp stamp;  ///< As written into `bytes`.
};

/// The batches of one partition on their way from Send to the wire: the open one, then those that
/// are full and wait for the window.
///
/// Invariants:
/// 1. Batches leave in the order in which their records were appended.
/// 2. A batch is sealed (compressed, CRC) outside of the lock: a full one by the thread that filled
///    it, the open one by the executor that takes it. Take never overtakes one that is being
///    sealed.
/// 3. Everything in here is counted in the budget, which bounds it; a batch that would exceed the
///    budget is not begun.
/// 4. The stamp of a sealed batch is a prediction: sequences are dealt out when a batch is first
///    sent, and it is stamped anew if by then identity or sequence turned out otherwise.
/// Thread-safe. Append is the hot path: one uncontended lock, one copy of the record, no allocation
/// but for the growth of a batch.
class BatchQueue {
 public:
  struct Options {
    record::Codec codec = record::Codec::kNone;
    int64_t batch_bytes = 0;
    int64_t batch_records = 0;  ///< 0: no bound.
    absl::Duration linger = absl::ZeroDuration();
  };
  struct Deps {
    std::shared_ptr<BufferBudget> budget;
    FlushTracker& flushes;
    const base::Clock& clock;
  };

  enum class Opening {
    kAllowed,
    kRefused,  ///< Only into a batch that is open already.
  };
  enum class Verdict {
    kAppended,
    kNoOpenBatch,  ///< Not appended, for Opening::kRefused.
    kBufferFull,   ///< Not appended; wait for the budget.
    kClosed,       ///< Not appended, see close_status().
  };
  struct Appended {
    Verdict verdict = Verdict::kAppended;
    /// Take() has something new to look at; told once until AckWake(), whatever the verdict.
    bool wake_sender = false;
  };

  enum class TakeOpen {
    kWhenDue,  ///< Linger over, or awaited by a flush, or by one who needs room.
    kAlways,
  };

  BatchQueue(const Options& options, const Deps& deps) : options_(options), deps_(deps) {}

  /// `bytes_max` is record::BatchBuilder::EncodedBytesMax of the record.
  Appended Append(const record::RecordInput& record, std::optional<absl::Time> timestamp,
                  size_t bytes_max, uint64_t tag, Opening opening);

  /// The next sealed batch, or null: nothing is due, or the next one is still being sealed and its
  /// sealer will wake the sender. On the executor.
  std::unique_ptr<Batch> Take(TakeOpen open);
  /// Batches that were taken and never sent come back to the front; the last one taken first.
  void PutBack(std::unique_ptr<Batch> batch);
  void AckWake();
  /// When the open batch becomes due by itself; infinite without one.
  absl::Duration NextDue() const;
  /// When the oldest batch was opened; infinite when there is none.
  absl::Duration OldestOpened() const;

  /// From now on batches are sealed with this identity and these sequences.
  void PredictStamp(const record::ProducerStamp& next);
  /// Append refuses from now on. The first status counts.
  void Close(absl::Status status);
  absl::Status close_status() const;

 private:
  Verdict AppendLocked(const record::RecordInput& record, std::optional<absl::Time> timestamp,
                       size_t bytes_max, uint64_t tag, Opening opening)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool OpenLocked(size_t bytes_max) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool ReserveMoreLocked(size_t bytes_max) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// True when the open batch has no room for `bytes_max` more.
  bool IsFullLocked(size_t bytes_max) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsDueLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Ends the open batch, which now waits for Seal at the end of the queue.
  Batch* EndOpenLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteEndLocked(Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t TimestampLocked(std::optional<absl::Time> given) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Builds the final bytes. Without the lock: nobody else touches a batch that is being sealed.
  void Seal(Batch& batch) const;
  /// Seals a batch of the queue; true when the sender must be woken.
  bool SealEnded(Batch& batch);
  bool WakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const Deps deps_;
  mutable base::Mutex mutex_;
  std::unique_ptr<Batch> open_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<Batch>> ended_ ABSL_GUARDED_BY(mutex_);
  record::ProducerStamp prediction_ ABSL_GUARDED_BY(mutex_);
  absl::Status close_status_ ABSL_GUARDED_BY(mutex_);
  /// What the last batch came to: the next one is given as much at once.
  size_t last_batch_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t last_batch_records_ ABSL_GUARDED_BY(mutex_) = 0;
  bool wake_pending_ ABSL_GUARDED_BY(mutex_) = false;
};

/// Gives a sealed batch, which certainly is not stored, another identity and its CRC. In a copy of
/// its bytes: a call that has just ended may still hold the old ones.
void Restamp(Batch& batch, const record::ProducerStamp& stamp);

/// The sequence `count` records after `sequence`; they wrap from 2^31 - 1 to 0.
constexpr int32_t AdvanceSequence(int32_t sequence, int32_t count) {
  return static_cast<int32_t>((int64_t{sequence} + count) & 0x7fffffff);
}

}  // namespace talosmq::client
