#include "storage/tail_cache.h"

#include "base/check.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>

namespace talosmq::storage {

TailCache::TailCache(int64_t bytes_max, StorageMetrics& metrics)
    : bytes_max_(bytes_max), metrics_(metrics) {}

TailCache::~TailCache() {
  base::MutexLock lock(mutex_);
  TALOSMQ_CHECK(bytes_ == 0) << "a log still has its tail in the cache";
}

TailCache::LogTail TailCache::AddLog() { return LogTail(*this, std::make_unique<Tail>()); }

void TailCache::EvictOldestLocked() {
  Tail& tail = *unpinned_.front();
  unpinned_.pop_front();
  bytes_ -= Cost(tail.batches.front().bytes);
  tail.batches.pop_front();
  --tail.unpinned;
}

TailCache::LogTail::LogTail(TailCache& cache, std::unique_ptr<Tail> tail)
    : cache_(&cache), tail_(std::move(tail)) {}

TailCache::LogTail::~LogTail() {
  if (tail_ == nullptr) return;
  base::MutexLock lock(cache_->mutex_);
  for (const Batch& batch : tail_->batches) {
    cache_->bytes_ -= Cost(batch.bytes);
    if (batch.is_pinned) {
      cache_->pinned_bytes_ -= Cost(batch.bytes);
    } else {
      cache_->unpinned_.erase(batch.age);
    }
  }
}

absl::Status TailCache::LogTail::Add(Offset base, Offset end, base::Buffer batch) {
  const int64_t cost = Cost(batch);
  TailCache& cache = *cache_;
  base::MutexLock lock(cache.mutex_);
  if (cache.pinned_bytes_ > 0 && cache.pinned_bytes_ + cost > cache.bytes_max_) {
    return MakeError(Reason::kOverloaded,
                     base::StrCat("tail cache: ", cache.pinned_bytes_, " of ", cache.bytes_max_,
                                  " bytes wait to be flushed; a batch of ", batch.size(),
                                  " bytes does not fit"));
  }
  TALOSMQ_CHECK(tail_->batches.empty() || tail_->batches.back().end == base)
      << "expected " << tail_->batches.back().end.value() << ", found " << base.value();
  while (cache.bytes_ + cost > cache.bytes_max_ && !cache.unpinned_.empty()) {
    cache.EvictOldestLocked();
  }
  cache.bytes_ += cost;
  cache.pinned_bytes_ += cost;
  tail_->batches.push_back({.base = base, .end = end, .bytes = std::move(batch), .age = {}});
  cache.metrics_.cache_bytes.Set(static_cast<double>(cache.bytes_));
  return absl::OkStatus();
}

void TailCache::LogTail::Unpin(Offset durable_end) {
  TailCache& cache = *cache_;
  base::MutexLock lock(cache.mutex_);
  for (; tail_->unpinned < tail_->batches.size(); ++tail_->unpinned) {
    Batch& batch = tail_->batches[tail_->unpinned];
    if (batch.end > durable_end) break;
    batch.is_pinned = false;
    batch.age = cache.unpinned_.insert(cache.unpinned_.end(), tail_.get());
    cache.pinned_bytes_ -= Cost(batch.bytes);
  }
}

void TailCache::LogTail::DropPinned() {
  TailCache& cache = *cache_;
  base::MutexLock lock(cache.mutex_);
  for (; tail_->batches.size() > tail_->unpinned; tail_->batches.pop_back()) {
    cache.bytes_ -= Cost(tail_->batches.back().bytes);
    cache.pinned_bytes_ -= Cost(tail_->batches.back().bytes);
  }
}

TailCache::LogTail::Batches TailCache::LogTail::Read(Offset offset, Offset limit,
                                                     int64_t bytes_max) const {
  Batches result{.is_held = false, .chunks = {}, .next_offset = offset};
  base::MutexLock lock(cache_->mutex_);
  const auto& batches = tail_->batches;
  if (batches.empty() || offset < batches.front().base) return result;
  result.is_held = true;
  cache_->metrics_.cache_hits.Add(1);
  auto batch = std::partition_point(batches.begin(), batches.end(),
                                    [&](const Batch& b) { return b.end <= offset; });
  int64_t bytes = 0;
  for (; batch != batches.end() && batch->end <= limit; ++batch) {
    bytes += static_cast<int64_t>(batch->bytes.size());
    if (bytes > bytes_max && !result.chunks.empty()) break;
    result.chunks.push_back(batch->bytes);
    result.next_offset = batch->end;
  }
  return result;
}

}  // namespace talosmq::storage
