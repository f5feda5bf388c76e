#include "cli/forced_end.h"

#include "cli/exit_status.h"

#include <cstdlib>
#include <utility>

namespace talosmq::cli {
namespace {

constexpr absl::Duration kLookInterval = absl::Milliseconds(50);

}  // namespace

ForcedEnd::ForcedEnd(Plan plan, Deps deps) : deps_(std::move(deps)), plan_(std::move(plan)) {
  LookLater();
}

ForcedEnd::~ForcedEnd() { thread_.Stop(); }

void ForcedEnd::Follow(std::optional<Plan> plan) {
  const base::MutexLock lock(mutex_);
  plan_ = std::move(plan);
}

void ForcedEnd::LookLater() {
  thread_.PostAfter(kLookInterval, [this] { Look(); });
}

void ForcedEnd::Look() {
  const absl::Duration now = deps_.clock.Monotonic();
  if (deps_.interrupt.IsRaised() && !interrupted_.has_value()) interrupted_ = now;
  const std::optional<Plan> plan = this->plan();
  if (!interrupted_.has_value() || !plan.has_value() || now - *interrupted_ < plan->after) {
    LookLater();
    return;
  }
  output_.CloseAndWait();
  deps_.say(plan->words());
  // Threads are in the middle of their work, so nothing is taken down; the kernel does that.
  std::_Exit(static_cast<int>(ExitStatus::kFailed));
}

std::optional<ForcedEnd::Plan> ForcedEnd::plan() const {
  const base::MutexLock lock(mutex_);
  return plan_;
}

}  // namespace talosmq::cli
