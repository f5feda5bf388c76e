#include "controller/user_controller.h"

#include "base/status.h"
#include "base/text.h"
#include "controller/store_steps.h"
#include "metadata/keys.h"
#include "metadata/user_name.h"
#include "talosmq/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::controller {

using metadata::CommitResult;
using metadata::KeyValue;
using metadata::Revision;

namespace {

using RevisionCallback = base::Callback<absl::StatusOr<Revision>>;

/// Salts and iterations are alike for all, and for users that there are not: clients are told them.
absl::Status CheckCredential(base::ScramHash hash, const base::ScramCredential& credential) {
  const size_t key_bytes = base::ScramKeyBytes(hash);
  if (credential.salt.size() != base::kScramSaltBytes) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("user: expected a salt of ", base::kScramSaltBytes,
                                  " bytes, found ", credential.salt.size()));
  }
  if (credential.iterations != base::kScramIterations) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("user: expected ", base::kScramIterations, " iterations, found ",
                                  credential.iterations));
  }
  if (credential.stored_key.size() != key_bytes || credential.server_key.size() != key_bytes) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("user: expected keys of ", key_bytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status CheckNewUser(const NewUser& user) {
  TALOSMQ_RETURN_IF_ERROR(metadata::CheckUserName(user.name));
  TALOSMQ_RETURN_IF_ERROR(CheckCredential(base::ScramHash::kSha256, user.scram_sha_256));
  return CheckCredential(base::ScramHash::kSha512, user.scram_sha_512);
}

absl::Status Exists(std::string_view name) {
  return MakeError(Reason::kInvalidArgument, base::StrCat("user '", name, "' exists already"));
}

absl::Status OneTooMany(std::string_view name, int64_t users_max) {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("user '", name, "': expected at most ", users_max,
                                " users, found that this would be one more"));
}

struct Creation {
  metadata::UserRecord record;
  NewUser user;
  int64_t users_max;
  RevisionCallback done;
};

void CreateUser(const StoreSteps& steps, Creation creation);

/// `secret` is the login secret as it was stored before the users were counted. Each user comes
/// with it: where it is missing a new one, else the same again, so that nobody has made another
/// user meanwhile.
void StoreUser(const StoreSteps& steps, Creation creation, const std::optional<KeyValue>& secret) {
  const std::string key = metadata::UserKey(creation.user.name);
  const std::string secret_key(metadata::kLoginSecretKey);
  metadata::Transaction transaction{
      .compares = {{.key = key},
                   {.key = secret_key,
                    .mod_revision = secret ? secret->mod_revision : Revision::kNone}},
      .operations = {{.key = key, .value = metadata::Encode(creation.record)},
                     {.key = secret_key,
                      .value = secret ? secret->value
                                      : metadata::Encode(metadata::LoginSecretRecord{
                                            creation.user.login_secret})}}};
  steps.CommitResolved(
      std::move(transaction),
      [steps, creation = std::move(creation)](const absl::StatusOr<CommitResult>& result) mutable {
        if (!result.ok()) return creation.done(result.status());
        if (result->succeeded) return creation.done(result->revision);
        // Somebody else has stored a user.
        CreateUser(steps, std::move(creation));
      });
}

void CountUsers(const StoreSteps& steps, Creation creation, std::optional<KeyValue> secret) {
  steps.ListAll(std::string(metadata::kUsersPrefix),
                [steps, creation = std::move(creation), secret = std::move(secret)](
                    const absl::StatusOr<std::vector<KeyValue>>& users) mutable {
                  if (!users.ok()) return creation.done(users.status());
                  if (static_cast<int64_t>(users->size()) >= creation.users_max) {
                    return creation.done(OneTooMany(creation.user.name, creation.users_max));
                  }
                  StoreUser(steps, std::move(creation), secret);
                });
}

void CreateUser(const StoreSteps& steps, Creation creation) {
  std::string key = metadata::UserKey(creation.user.name);
  steps.store().Get(std::move(key), steps.executor(),
                    [steps, creation = std::move(creation)](
                        const absl::StatusOr<std::optional<KeyValue>>& found) mutable {
                      if (!found.ok()) return creation.done(found.status());
                      if (found->has_value()) return creation.done(Exists(creation.user.name));
                      steps.store().Get(
                          std::string(metadata::kLoginSecretKey), steps.executor(),
                          [steps, creation = std::move(creation)](
                              const absl::StatusOr<std::optional<KeyValue>>& secret) mutable {
                            if (!secret.ok()) return creation.done(secret.status());
                            CountUsers(steps, std::move(creation), *secret);
                          });
                    });
}

void DeleteUser(const StoreSteps& steps, std::string name, RevisionCallback done) {
  std::string key = metadata::UserKey(name);
  steps.store().Get(
      key, steps.executor(),
      [steps, key, name = std::move(name),
       done = std::move(done)](const absl::StatusOr<std::optional<KeyValue>>& found) mutable {
        if (!found.ok()) return done(found.status());
        if (!found->has_value()) {
          return done(
              MakeError(Reason::kInvalidArgument, base::StrCat("there is no user '", name, "'")));
        }
        metadata::Transaction transaction{
            .compares = {{.key = key, .mod_revision = (*found)->mod_revision}},
            .operations = {{.key = key}}};
        steps.store().Commit(std::move(transaction), steps.executor(),
                             [steps, name = std::move(name), done = std::move(done)](
                                 const absl::StatusOr<CommitResult>& result) mutable {
                               if (!result.ok()) return done(result.status());
                               // Somebody else has deleted it, or made it anew.
                               if (!result->succeeded)
                                 return DeleteUser(steps, std::move(name), std::move(done));
                               done(result->revision);
                             });
      });
}

}  // namespace

void UserController::Create(NewUser user, RevisionCallback done) {
  if (absl::Status status = CheckNewUser(user); !status.ok()) return done(status);
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post([steps, &clock = dependencies_.clock,
                               users_max = dependencies_.users_max, user = std::move(user),
                               done = std::move(done)]() mutable {
    metadata::UserRecord record{.created = clock.Now(),
                                .scram_sha_256 = user.scram_sha_256,
                                .scram_sha_512 = user.scram_sha_512};
    CreateUser(steps, {.record = std::move(record),
                       .user = std::move(user),
                       .users_max = users_max,
                       .done = std::move(done)});
  });
}

void UserController::Delete(std::string name, RevisionCallback done) {
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post([steps, name = std::move(name), done = std::move(done)]() mutable {
    DeleteUser(steps, std::move(name), std::move(done));
  });
}

}  // namespace talosmq::controller
