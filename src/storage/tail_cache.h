#pragma once

#include "base/bytes.h"
#include "base/mutex.h"
#include "storage/storage_metrics.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <vector>

namespace talosmq::storage {

/// The newest batches of all logs of a data directory, in memory.
///
/// Invariants:
/// 1. What a log has not flushed yet is pinned: it is in the cache until Unpin.
/// 2. The batches of a log in the cache are consecutive and end at its log end, until DropPinned.
/// 3. Pinned and unpinned bytes together stay within the bound, but for one single batch that is
///    larger than the bound by itself. Unpinned batches go in the order they were unpinned.
/// Thread-safe: logs of several shards share it. Buffers that were read live on by reference count.
class TailCache {
  struct Tail;

 public:
  /// One log's part. Confined to the log; dropping it takes its batches out.
  class LogTail {
   public:
    LogTail(LogTail&& other) noexcept = default;
    LogTail& operator=(LogTail&&) = delete;
    ~LogTail();

    /// Keeps a batch of offsets [base, end), pinned. kOverloaded, with nothing changed, when pinned
    /// bytes leave no room for it.
    absl::Status Add(Offset base, Offset end, base::Buffer batch);
    /// Everything below `durable_end` may go from now on.
    void Unpin(Offset durable_end);

    /// Forgets what was not flushed: it never will be.
    void DropPinned();

    struct Batches {
      bool is_held = false;  ///< False: the batch that holds the offset is not in the cache.
      std::vector<base::Buffer> chunks;
      Offset next_offset;
    };
    /// Whole batches from the one that holds `offset`, none that ends above `limit`, as many as fit
    /// `bytes_max` and at least one.
    Batches Read(Offset offset, Offset limit, int64_t bytes_max) const;

   private:
    friend class TailCache;
    LogTail(TailCache& cache, std::unique_ptr<Tail> tail);
    TailCache* cache_;
    std::unique_ptr<Tail> tail_;
  };

  /// Memory that a batch takes beside its bytes.
  static constexpr int64_t kBatchOverheadBytes = 128;

  TailCache(int64_t bytes_max, StorageMetrics& metrics);
  ~TailCache();

  LogTail AddLog();

 private:
  struct Batch {
    Offset base;
    Offset end;
    base::Buffer bytes;
    bool is_pinned = true;
    std::list<Tail*>::iterator age;  ///< In unpinned_, when not pinned.
  };
  /// All fields are guarded by mutex_.
  struct Tail {
    std::deque<Batch> batches;
    size_t unpinned = 0;  ///< The first so many of them are not pinned.
  };

  static int64_t Cost(const base::Buffer& batch) {
    return static_cast<int64_t>(batch.size()) + kBatchOverheadBytes;
  }
  void EvictOldestLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t bytes_max_;
  StorageMetrics& metrics_;

  mutable base::Mutex mutex_;
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t pinned_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  /// For each unpinned batch its log, oldest first; it is the first batch of that log.
  std::list<Tail*> unpinned_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::storage
