#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "cli/interrupt.h"

#include "absl/time/time.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::cli {

/// Ends the program when Ctrl-C came and the command does not end by itself: it waits in a call
/// that nothing cuts short, for a server that hangs. The command says how long that may take and
/// what is to be told then, by its plan.
///
/// Invariant: the program never ends inside a piece of output that was written with a Pass.
/// Thread-safe. Owns a thread ("cli-end") that looks at the interrupt.
class ForcedEnd {
 public:
  struct Plan {
    /// From the interrupt on.
    absl::Duration after;
    /// What is told; runs on the thread here.
    std::function<std::string()> words;
  };
  struct Deps {
    const Interrupt& interrupt;
    const base::Clock& clock;
    std::function<void(std::string_view)> say;
  };

  ForcedEnd(Plan plan, Deps deps);
  ForcedEnd(const ForcedEnd&) = delete;
  ForcedEnd& operator=(const ForcedEnd&) = delete;
  ~ForcedEnd();

  /// Nothing: from now on the command looks at the interrupt by itself and waits for nobody.
  void Follow(std::optional<Plan> plan);
  /// To be held while standard output is written; nothing when the program is about to end.
  std::optional<base::Gate::Pass> EnterOutput() { return output_.Enter(); }

 private:
  void LookLater();
  void Look();
  std::optional<Plan> plan() const;

  const Deps deps_;
  mutable base::Mutex mutex_;
  std::optional<Plan> plan_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> interrupted_;  ///< When it was noticed. Confined to the thread.
  base::Gate output_;
  base::ThreadExecutor thread_{{.name = "cli-end"}};
};

}  // namespace talosmq::cli
