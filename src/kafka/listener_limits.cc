#include "kafka/listener_limits.h"

#include <utility>

namespace talosmq::kafka {

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

std::optional<base::Buffer> ListenerLimits::Allocate(size_t bytes) {
  const auto wanted = static_cast<int64_t>(bytes);
  int64_t taken = request_bytes_.load();
  do {
    if (taken > 0 && taken + wanted > options_.request_bytes_max) return std::nullopt;
  } while (!request_bytes_.compare_exchange_weak(taken, taken + wanted));
  std::shared_ptr<const void> share(
      this, [self = shared_from_this(), wanted](const void*) { self->request_bytes_ -= wanted; });
  return base::Buffer::Allocate(bytes).With(std::move(share));
}

}  // namespace talosmq::kafka
