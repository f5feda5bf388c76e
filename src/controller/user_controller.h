#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/scram.h"
#include "metadata/metadata_store.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <string>

namespace talosmq::controller {

struct NewUser {
  std::string name;
  base::ScramCredential scram_sha_256;
  base::ScramCredential scram_sha_512;
  /// Becomes the login secret of the cluster when there is none yet; see LoginSecretRecord.
  std::string login_secret;
};

/// Life of users as transactions on the metadata store.
///
/// 1. A user is there as a whole or not at all; a login secret is there before the first one is.
/// 2. A lost reply to Create is resolved by reading back before anything else is decided; one to
///    Delete is the answer, and whoever asks again may hear that there is no such user.
/// 3. There are never more than users_max, however many are made at once.
/// Thread-safe: operations run on the executor of the dependencies, where callbacks run too.
/// Borrows its dependencies; operations under way need those, but not this object.
class UserController {
 public:
  struct Dependencies {
    metadata::MetadataStore& store;
    base::Executor& executor;
    base::Clock& clock;
    int64_t users_max;
  };

  explicit UserController(Dependencies dependencies) : dependencies_(dependencies) {}

  // Both answer with the revision at which the change is visible.

  /// kInvalidArgument: a name that no user may have, a credential that is not of the one
  /// salt size and iteration count of new passwords, a user that there is already, or one too many.
  void Create(NewUser user, base::Callback<absl::StatusOr<metadata::Revision>> done);
  /// kInvalidArgument: there is no such user.
  void Delete(std::string name, base::Callback<absl::StatusOr<metadata::Revision>> done);

 private:
  const Dependencies dependencies_;
};

}  // namespace talosmq::controller
