#pragma once

#include "base/executor.h"

#include "absl/status/status.h"

#include <optional>
#include <utility>

namespace talosmq::metadata {

/// One call on a store: worked out in its turn, answered when everything it shows is durable.
class StoreCall {
 public:
  virtual ~StoreCall() = default;
  virtual void Work() = 0;
  /// Sends what Work() found, or the error `durable` instead. Once; posts, never calls back.
  virtual void Answer(const absl::Status& durable) = 0;
};

/// A call that is answered with a `Result`, a Status or StatusOr.
template <typename Result>
class AnsweredCall final : public StoreCall {
 public:
  using Action = absl::AnyInvocable<Result()>;

  AnsweredCall(Action action, base::Executor& on, base::Callback<Result> done)
      : action_(std::move(action)), on_(on), done_(std::move(done)) {}

  void Work() override { result_ = action_(); }

  void Answer(const absl::Status& durable) override {
    Result result = durable.ok() ? *std::move(result_) : Result(durable);
    on_.Post([done = std::move(done_), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

 private:
  Action action_;
  base::Executor& on_;
  base::Callback<Result> done_;
  std::optional<Result> result_;  ///< Set by Work().
};

/// A call that nobody waits for.
class SilentCall final : public StoreCall {
 public:
  explicit SilentCall(base::Task action) : action_(std::move(action)) {}
  void Work() override { action_(); }
  void Answer(const absl::Status& /*durable*/) override {}

 private:
  base::Task action_;
};

}  // namespace talosmq::metadata
