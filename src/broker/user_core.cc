#include "broker/user_core.h"

#include "broker/in_time.h"
#include "talosmq/error.h"

#include <optional>
#include <utility>

namespace talosmq::broker {
namespace {

constexpr size_t kLoginSecretBytes = 32;

}  // namespace

template <typename Change>
void UserCore::RunChange(std::string_view what, absl::Duration deadline,
                         base::Callback<absl::Status> done, Change change) {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (!pass.has_value()) return done(MakeError(Reason::kShuttingDown, "the broker is stopping"));
  RunInTime({.executor = dependencies_.admin_executor,
             .clock = dependencies_.clock,
             .deadline = deadline,
             .what = what},
            std::move(done),
            [this, pass = *std::move(pass),
             change = std::move(change)](base::Callback<absl::Status> answer) mutable {
              change(Shown([this, pass = std::move(pass), answer = std::move(answer)](
                               const absl::StatusOr<metadata::Revision>& changed) mutable {
                if (!changed.ok()) return answer(changed.status());
                dependencies_.images.WhenReached(
                    *changed, [pass = std::move(pass), answer = std::move(answer)]() mutable {
                      answer(absl::OkStatus());
                    });
              }));
            });
}

void UserCore::Create(UserCreation creation, absl::Duration deadline,
                      base::Callback<absl::Status> done) {
  RunChange("create user", deadline, std::move(done),
            [this, creation = std::move(creation)](Shown answer) mutable {
              controller_.Create({.name = std::move(creation.name),
                                  .scram_sha_256 = std::move(creation.scram_sha_256),
                                  .scram_sha_512 = std::move(creation.scram_sha_512),
                                  .login_secret = base::RandomSecret(kLoginSecretBytes)},
                                 std::move(answer));
            });
}

void UserCore::Delete(std::string name, absl::Duration deadline,
                      base::Callback<absl::Status> done) {
  RunChange("delete user", deadline, std::move(done),
            [this, name = std::move(name)](Shown answer) mutable {
              controller_.Delete(std::move(name), std::move(answer));
            });
}

}  // namespace talosmq::broker
