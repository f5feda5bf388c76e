#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "storage/checkpointer.h"
#include "storage/disk_reserve.h"
#include "storage/flush_queue.h"
#include "storage/flush_target.h"
#include "storage/storage_metrics.h"

#include "absl/status/status.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace talosmq::storage {

/// The one group commit of a data directory: takes all that waits, makes it durable together, tells
/// each shard once, while the next group forms.
///
/// Invariants:
/// 1. Batches of one log become durable in the order they were appended.
/// 2. Only a completion moves a log's durable end.
/// 3. While several logs wait, a group is no larger than what the disk takes in about kSharedFlush,
///    so that one with much to write does not make the others wait for long.
/// 4. After a failure of a log nothing of it is written any more, and every batch of it that still
///    waits completes with the same failure (R01).
/// Append is thread-safe; everything else runs on the flush executor. What waits is bounded by the
/// tail cache, which pins it.
class FlushGroup final : private FlushTarget::Listener {
 public:
  struct Dependencies {
    FlushTarget& target;
    DiskReserve& reserve;  ///< Asked before each group.
    Checkpointer& checkpointer;
    base::Executor& executor;
    base::Clock& clock;
    base::Gate& gate;  ///< Held by tasks; closed before this goes.
    StorageMetrics& metrics;
    std::function<void(absl::Status)> on_fence;  ///< Hears of every log that a failure fenced.
  };

  FlushGroup(int64_t group_bytes_max, Dependencies dependencies)
      : group_bytes_max_(group_bytes_max),
        dependencies_(std::move(dependencies)),
        shared_bytes_max_(group_bytes_max) {}

  /// What the target is to tell.
  FlushTarget::Listener& listener() { return *this; }

  void Append(QueuedBatch batch);
  /// Fences a log because of a failure outside of its batches.
  void Fence(std::shared_ptr<LogFiles> files, absl::Status cause);
  /// Brings what is durable of a log now to its segments, while it may be appended to: the listener
  /// of the log hears how far it got.
  void WriteBack(std::shared_ptr<LogFiles> files);
  /// Brings what is left of a log that has nothing waiting to its segments and lets go of its
  /// files, then runs `done` there.
  void Release(std::shared_ptr<LogFiles> files, base::Task done);

 private:
  std::vector<QueuedBatch> TakeWaiting();
  int64_t BacklogBytes() const;
  static constexpr absl::Duration kSharedFlush = absl::Milliseconds(4);
  static constexpr int64_t kSharedBytesMin = int64_t{1} << 20;

  static std::vector<LogWrite> Form(std::vector<QueuedBatch> batches);
  void Run();
  void PostRun();
  void Flush(std::vector<LogWrite>& group);
  /// A flush of so many bytes took so long.
  void AdaptGroupSize(int64_t bytes, absl::Duration taken);
  void OnWrittenBack(std::vector<LogWrite> writes) override;
  /// Fences what failed, hands what is in the segments to the checkpoint, tells the shards.
  void Complete(std::vector<LogWrite> writes);
  void FenceNow(LogFiles& files, absl::Status cause);

  const int64_t group_bytes_max_;
  const Dependencies dependencies_;

  mutable base::Mutex mutex_;
  FlushQueue waiting_ ABSL_GUARDED_BY(mutex_);
  bool is_posted_ ABSL_GUARDED_BY(mutex_) = false;

  // Confined to the flush executor.
  bool waits_for_room_ = false;  ///< In the target.
  int64_t shared_bytes_max_;     ///< Of a group while several logs wait.
};

}  // namespace talosmq::storage
