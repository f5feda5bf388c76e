#pragma once

#include "base/bytes.h"
#include "base/mutex.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <deque>
#include <optional>

namespace talosmq::client {

/// What came for one partition: whole batches, news about the log's end, or why nothing more comes.
struct FetchedChunk {
  PartitionId partition;
  /// Number of the seek that asked for it; a chunk of an older one is to be thrown away.
  uint64_t generation = 0;
  absl::Status status;  ///< Not OK: the partition has stopped, the rest is void.
  /// The out-of-range policy has moved the position here.
  std::optional<Offset> moved_to;
  Offset high_watermark;
  Offset next_offset;  ///< One past the last record of `records`.
  base::Buffer records;
};

/// Chunks on their way from the executor to the thread that polls. Bounded by the credit that the
/// servers were given. Thread-safe.
class FetchedQueue {
 public:
  void Push(FetchedChunk chunk);
  /// The oldest chunk; waits up to `wait` for the first one.
  std::optional<FetchedChunk> Take(absl::Duration wait);
  /// Bytes of records in here.
  int64_t bytes() const;

 private:
  mutable base::Mutex mutex_;
  base::CondVar came_;
  std::deque<FetchedChunk> chunks_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace talosmq::client
