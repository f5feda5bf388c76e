#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "broker/users.h"
#include "controller/user_controller.h"
#include "metadata/image_publisher.h"
#include "metadata/metadata_store.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::broker {

/// UserService: changes go through the user controller and answer once the newest image shows them.
/// Thread-safe. Borrows what it is made of.
class UserCore final : public UserService {
 public:
  struct Dependencies {
    metadata::MetadataStore& metadata_store;
    metadata::ImagePublisher& images;
    base::Executor& admin_executor;
    base::Gate& admin_gate;
    base::Clock& clock;
    int64_t users_max;
  };

  explicit UserCore(Dependencies dependencies)
      : dependencies_(dependencies),
        controller_({.store = dependencies.metadata_store,
                     .executor = dependencies.admin_executor,
                     .clock = dependencies.clock,
                     .users_max = dependencies.users_max}) {}
  UserCore(const UserCore&) = delete;
  UserCore& operator=(const UserCore&) = delete;

  void Create(UserCreation creation, absl::Duration deadline,
              base::Callback<absl::Status> done) override;
  void Delete(std::string name, absl::Duration deadline,
              base::Callback<absl::Status> done) override;

 private:
  using Shown = base::Callback<absl::StatusOr<metadata::Revision>>;

  /// Runs `change`, which is given what to answer with the revision, on the admin executor unless
  /// it is too late.
  template <typename Change>
  void RunChange(std::string_view what, absl::Duration deadline, base::Callback<absl::Status> done,
                 Change change);

  const Dependencies dependencies_;
  controller::UserController controller_;
};

}  // namespace talosmq::broker
