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

/// Asks again, with a pause of kAskAgainAfter, as long as the answer is transient and the client's
/// request_timeout since the first try is not over. `ask` must only read, or do what does not
/// matter twice. Everything runs on the executor.
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
  static constexpr absl::Duration kAskAgainAfter = absl::Milliseconds(100);

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
    const bool over = core_.clock().Monotonic() + kAskAgainAfter >= deadline_;
    if (answer.ok() || over || !IsTransient(answer.status())) {
      done_(std::move(answer));
      return;
    }
    core_.executor().PostAfter(core_.Jitter(kAskAgainAfter),
                               [self = this->shared_from_this()] { self->Try(); });
  }

  ClientCore& core_;
  Ask ask_;
  Done done_;
  const absl::Duration deadline_;
};

}  // namespace talosmq::client
