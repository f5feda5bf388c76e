#pragma once

#include "base/executor.h"
#include "client/client_core.h"

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <memory>
#include <utility>

namespace talosmq::client {

/// True when the same question may well be answered a little later.
bool IsTransient(const absl::Status& status);

/// Asks again, with a growing pause (see BackOff), as long as the answer is transient and the
/// client's request_timeout since the first try is not over. `ask` must only read, or do what does
/// not matter twice. Everything runs on the executor.
template <typename T>
class Retry : public std::enable_shared_from_this<Retry<T>> {
 public:
  using Done = base::Callback<absl::StatusOr<T>>;
  using Ask = absl::AnyInvocable<void(Done)>;

  static void Start(ClientCore& core, Ask ask, Done done) {
    std::shared_ptr<Retry> retry(new Retry(core, std::move(ask), std::move(done)));
    retry->Try();
  }

 private:
  Retry(ClientCore& core, Ask ask, Done done)
      : core_(core),
        ask_(std::move(ask)),
        done_(std::move(done)),
        deadline_(core.clock().Monotonic() + core.options().request_timeout) {}

  void Try() {
    ask_([self = this->shared_from_this()](absl::StatusOr<T> answer) {
      self->OnAnswer(std::move(answer));
    });
  }

  void OnAnswer(absl::StatusOr<T> answer) {
    if (answer.ok() || !IsTransient(answer.status())) {
      done_(std::move(answer));
      return;
    }
    const absl::Duration pause = core_.PauseAfter(failures_++, answer.status());
    if (core_.clock().Monotonic() + pause >= deadline_) {
      done_(std::move(answer));
      return;
    }
    core_.executor().PostAfter(pause, [self = this->shared_from_this()] { self->Try(); });
  }

  ClientCore& core_;
  Ask ask_;
  Done done_;
  const absl::Duration deadline_;
  int failures_ = 0;
};

}  // namespace talosmq::client
