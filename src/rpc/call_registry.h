#pragma once

#include "base/mutex.h"

#include "absl/container/flat_hash_map.h"

#include <memory>

namespace talosmq::rpc {

/// A call that may stay open for long and can be asked to end.
class Drainable {
 public:
  virtual ~Drainable() = default;
  /// Ends the call soon, with what is owed to the client sent. Thread-safe.
  virtual void Drain() = 0;
};

/// The open calls that do not end by themselves, so that a stop can ask them to.
/// Thread-safe. Calls back under no lock.
class CallRegistry {
 public:
  /// False once DrainAll() was called: the caller drains itself.
  [[nodiscard]] bool Add(const std::shared_ptr<Drainable>& call);
  void Remove(const Drainable& call);
  /// Refuses further calls and drains those that are open.
  void DrainAll();

 private:
  base::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<const Drainable*, std::weak_ptr<Drainable>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::rpc
