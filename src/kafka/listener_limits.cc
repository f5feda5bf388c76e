#include "kafka/listener_limits.h"

#include <algorithm>
#include <utility>

namespace talosmq::kafka {

bool MemoryPool::TryTake(int64_t bytes) {
  int64_t taken = taken_.load();
  do {
    if (taken > 0 && taken + bytes > bytes_max_) return false;
  } while (!taken_.compare_exchange_weak(taken, taken + bytes));
  return true;
}

int64_t MemoryPool::TakeShare(int64_t bytes, int64_t least) {
  int64_t taken = taken_.load();
  int64_t share = 0;
  do {
    const int64_t left = bytes_max_ - taken;
    least = std::min(least, bytes);
    if (left < least) return 0;
    share = std::min(bytes, std::max(left / 4, least));
  } while (!taken_.compare_exchange_weak(taken, taken + share));
  return share;
}

bool MemoryPool::TryTakeBeyond(int64_t bytes) {
  int64_t taken = taken_.load();
  do {
    if (taken > bytes_max_) return false;
  } while (!taken_.compare_exchange_weak(taken, taken + bytes));
  return true;
}

int64_t AnswerMemory::Reserve(int64_t bytes) {
  if (bytes > bytes_) bytes_ += pool_->TakeShare(bytes - bytes_, kBytesLeast);
  return std::min(bytes, bytes_);
}

bool AnswerMemory::TrySettle(int64_t bytes) {
  if (bytes <= bytes_) {
    Settle(bytes);
    return true;
  }
  if (!pool_->TryTakeBeyond(bytes - bytes_)) return false;
  bytes_ = bytes;
  return true;
}

void AnswerMemory::Settle(int64_t bytes) {
  pool_->GiveBack(bytes_ - bytes);
  bytes_ = bytes;
}

RequestMemory::~RequestMemory() {
  pool_->GiveBack(bytes_);
  if (overdrawn_bytes_ > 0) pool_->EndOverdraft();
}

bool RequestMemory::TryGrowTo(int64_t bytes) {
  if (bytes <= bytes_) return true;
  const int64_t more = bytes - bytes_;
  if (!pool_->TryTake(more)) {
    if (overdrawn_bytes_ == 0 && !pool_->TryOverdraw()) return false;
    overdrawn_bytes_ += more;
    pool_->TakeAnyway(more);
  }
  bytes_ = bytes;
  return true;
}

void RequestMemory::ShrinkTo(int64_t bytes) {
  if (bytes >= bytes_) return;
  const int64_t less = bytes_ - bytes;
  pool_->GiveBack(less);
  bytes_ = bytes;
  if (overdrawn_bytes_ == 0) return;
  // What is given back is what was taken beyond the bound: others may need it, and this request
  // may wait for long.
  overdrawn_bytes_ = pool_->is_within_bound() ? 0 : std::max(overdrawn_bytes_ - less, int64_t{0});
  if (overdrawn_bytes_ == 0) pool_->EndOverdraft();
}

std::optional<Seats::Seat> Seats::Enter(const std::string& address) {
  {
    const base::MutexLock lock(mutex_);
    if (taken_ >= bounds_.in_all) return std::nullopt;
    int64_t& of_address = by_address_[address];
    if (of_address >= bounds_.per_address) return std::nullopt;
    ++of_address;
    CountLocked(1);
  }
  return std::optional<Seat>(std::in_place, shared_from_this(), address);
}

void Seats::Leave(const std::string& address) {
  const base::MutexLock lock(mutex_);
  CountLocked(-1);
  const auto of_address = by_address_.find(address);
  if (--of_address->second == 0) by_address_.erase(of_address);
}

void Seats::CountLocked(int64_t change) {
  taken_ += change;
  if (gauge_ != nullptr) gauge_->Set(static_cast<double>(taken_));
}

std::shared_ptr<RequestMemory> ListenerLimits::Admit(int64_t bytes) {
  if (!memory_->TryTake(bytes)) return nullptr;
  return std::make_shared<RequestMemory>(memory_, bytes);
}

}  // namespace talosmq::kafka
