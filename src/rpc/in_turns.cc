#include "rpc/in_turns.h"

#include "base/mutex.h"

#include <memory>
#include <optional>
#include <utility>

namespace talosmq::rpc {
namespace {

/// Thread-safe; shared by the callbacks.
class Turns : public std::enable_shared_from_this<Turns> {
 public:
  Turns(int count, int at_once_max, std::function<void(int, base::Task)> ask, base::Task all_done)
      : count_(count),
        at_once_max_(at_once_max),
        ask_(std::move(ask)),
        all_done_(std::move(all_done)),
        missing_(count) {}

  /// Asks as many as may be asked now. One thread at a time does, since an answer may come inside.
  void Ask() {
    {
      const base::MutexLock lock(mutex_);
      if (asking_) return;
      asking_ = true;
    }
    while (const std::optional<int> index = TakeNext()) {
      ask_(*index, [self = shared_from_this()] { self->OnAnswer(); });
    }
  }

 private:
  /// Nothing, and asking is over, when none is left or enough are under way.
  std::optional<int> TakeNext() {
    const base::MutexLock lock(mutex_);
    if (next_ == count_ || under_way_ == at_once_max_) {
      asking_ = false;
      return std::nullopt;
    }
    ++under_way_;
    return next_++;
  }

  void OnAnswer() {
    bool is_last = false;
    {
      const base::MutexLock lock(mutex_);
      --under_way_;
      is_last = --missing_ == 0;
    }
    if (is_last) {
      all_done_();
    } else {
      Ask();
    }
  }

  const int count_;
  const int at_once_max_;
  const std::function<void(int, base::Task)> ask_;
  base::Task all_done_;
  base::Mutex mutex_;
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  int next_ ABSL_GUARDED_BY(mutex_) = 0;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  int missing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void AskInTurns(int count, int at_once_max, std::function<void(int, base::Task)> ask,
                base::Task all_done) {
  std::make_shared<Turns>(count, at_once_max, std::move(ask), std::move(all_done))->Ask();
}

}  // namespace talosmq::rpc
