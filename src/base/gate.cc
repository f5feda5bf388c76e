#include "base/gate.h"

#include "base/check.h"

#include <utility>

namespace talosmq::base {

Gate::Pass::~Pass() {
  if (gate_ != nullptr) gate_->Leave();
}

std::optional<Gate::Pass> Gate::Enter() {
  const MutexLock lock(mutex_);
  if (closed_) return std::nullopt;
  ++entered_;
  return Pass(this);
}

void Gate::Leave() {
  Task done;
  {
    const MutexLock lock(mutex_);
    --entered_;
    if (entered_ == 0 && closed_) done = std::exchange(done_, nullptr);
  }
  // The gate may be gone once this ran.
  if (done) done();
}

void Gate::Close(Task done) {
  {
    const MutexLock lock(mutex_);
    TALOSMQ_CHECK(!closed_) << "a gate closes once";
    closed_ = true;
    if (entered_ > 0) {
      done_ = std::move(done);
      return;
    }
  }
  done();
}

void Gate::CloseAndWait() {
  Mutex mutex;
  CondVar left;
  bool empty = false;
  Close([&] {
    const MutexLock lock(mutex);
    empty = true;
    left.Signal();
  });
  const MutexLock lock(mutex);
  while (!empty) left.Wait(mutex);
}

}  // namespace talosmq::base
