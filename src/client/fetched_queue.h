#pragma once

#include "base/mutex.h"
#include "client/fetched_chunk.h"

#include "absl/time/time.h"

#include <cstdint>
#include <deque>
#include <optional>

namespace talosmq::client {

/// Chunks on their way from the executor to the thread that polls. Bounded by the credit that the
/// servers were given. Thread-safe.
class FetchedQueue final : public ChunkSink {
 public:
  void Push(FetchedChunk chunk) override;
  /// The oldest chunk; waits up to `wait` for the first one.
  std::optional<FetchedChunk> Take(absl::Duration wait);
  int64_t bytes() const override;

 private:
  mutable base::Mutex mutex_;
  base::CondVar came_;
  std::deque<FetchedChunk> chunks_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace talosmq::client
