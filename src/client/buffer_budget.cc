#include "client/buffer_budget.h"

#include "base/check.h"

namespace talosmq::client {

bool BufferBudget::TryTake(int64_t bytes) {
  int64_t taken = taken_.load();
  while (taken + bytes <= bytes_max_) {
    if (taken_.compare_exchange_weak(taken, taken + bytes)) return true;
  }
  return false;
}

void BufferBudget::Give(int64_t bytes) {
  const int64_t before = taken_.fetch_sub(bytes);
  TALOSMQ_CHECK(before >= bytes) << "taken=" << before << " given=" << bytes;
  // A waiter counts itself before it looks at taken_, so one of the two sees the other.
  if (waiting_.load() == 0) return;
  const base::MutexLock lock(mutex_);
  given_.SignalAll();
}

void BufferBudget::WaitForRoom(int64_t bytes, absl::Duration wait) {
  const base::MutexLock lock(mutex_);
  ++waiting_;
  if (!closed_ && taken_.load() + bytes > bytes_max_) given_.WaitFor(mutex_, wait);
  --waiting_;
}

void BufferBudget::Close() {
  const base::MutexLock lock(mutex_);
  closed_ = true;
  given_.SignalAll();
}

}  // namespace talosmq::client
