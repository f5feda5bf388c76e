#include "kafka/listener_limits.h"

#include <utility>

namespace talosmq::kafka {

bool MemoryPool::TryTake(int64_t bytes) {
  int64_t taken = taken_.load();
  do {
    if (taken > 0 && taken + bytes > bytes_max_) return false;
  } while (!taken_.compare_exchange_weak(taken, taken + bytes));
  return true;
}

RequestMemory::~RequestMemory() {
  pool_->GiveBack(bytes_);
  if (is_overdrawn_) pool_->EndOverdraft();
}

bool RequestMemory::TryGrowTo(int64_t bytes) {
  if (bytes <= bytes_) return true;
  const int64_t more = bytes - bytes_;
  if (!pool_->TryTake(more)) {
    is_overdrawn_ = is_overdrawn_ || pool_->TryOverdraw();
    if (!is_overdrawn_) return false;
    pool_->TakeAnyway(more);
  }
  bytes_ = bytes;
  return true;
}

void RequestMemory::ShrinkTo(int64_t bytes) {
  if (bytes >= bytes_) return;
  pool_->GiveBack(bytes_ - bytes);
  bytes_ = bytes;
  if (is_overdrawn_ && pool_->is_within_bound()) {
    is_overdrawn_ = false;
    pool_->EndOverdraft();
  }
}

std::optional<ListenerLimits::Seat> ListenerLimits::Enter(const std::string& address) {
  {
    const base::MutexLock lock(mutex_);
    if (connections_ >= options_.connections_max) return std::nullopt;
    int64_t& of_address = by_address_[address];
    if (of_address >= options_.connections_per_address_max) return std::nullopt;
    ++of_address;
    gauge_.Set(static_cast<double>(++connections_));
  }
  return std::optional<Seat>(std::in_place, shared_from_this(), address);
}

void ListenerLimits::Leave(const std::string& address) {
  const base::MutexLock lock(mutex_);
  gauge_.Set(static_cast<double>(--connections_));
  const auto of_address = by_address_.find(address);
  if (--of_address->second == 0) by_address_.erase(of_address);
}

std::shared_ptr<RequestMemory> ListenerLimits::Admit(int64_t bytes) {
  if (!memory_->TryTake(bytes)) return nullptr;
  return std::make_shared<RequestMemory>(memory_, bytes);
}

}  // namespace talosmq::kafka
