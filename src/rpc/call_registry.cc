#include "rpc/call_registry.h"

#include <vector>

namespace talosmq::rpc {

bool CallRegistry::Add(const std::shared_ptr<Drainable>& call) {
  const base::MutexLock lock(mutex_);
  if (draining_) return false;
  calls_.emplace(call.get(), call);
  return true;
}

void CallRegistry::Remove(const Drainable& call) {
  const base::MutexLock lock(mutex_);
  calls_.erase(&call);
}

void CallRegistry::DrainAll() {
  std::vector<std::shared_ptr<Drainable>> open;
  {
    const base::MutexLock lock(mutex_);
    draining_ = true;
    for (const auto& [address, call] : calls_) {
      if (auto alive = call.lock()) open.push_back(std::move(alive));
    }
  }
  for (const auto& call : open) call->Drain();
}

}  // namespace talosmq::rpc
