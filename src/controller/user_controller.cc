#include "controller/user_controller.h"

#include "base/status.h"
#include "base/text.h"
#include "controller/store_steps.h"
#include "metadata/keys.h"
#include "metadata/user_name.h"
#include "talosmq/error.h"

#include <optional>
#include <utility>

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

void CreateUser(const StoreSteps& steps, metadata::UserRecord record, NewUser user,
                RevisionCallback done);

/// `secret` is the login secret as it is stored; where it is missing, it comes with the user.
void StoreUser(const StoreSteps& steps, metadata::UserRecord record, NewUser user,
               const std::optional<KeyValue>& secret, RevisionCallback done) {
  const std::string key = metadata::UserKey(user.name);
  const std::string secret_key(metadata::kLoginSecretKey);
  metadata::Transaction transaction{
      .compares = {{.key = key}}, .operations = {{.key = key, .value = metadata::Encode(record)}}};
  if (!secret) {
    transaction.compares.push_back({.key = secret_key});
    transaction.operations.push_back(
        {.key = secret_key,
         .value = metadata::Encode(metadata::LoginSecretRecord{user.login_secret})});
  }
  steps.CommitResolved(
      std::move(transaction),
      [steps, record = std::move(record), user = std::move(user),
       done = std::move(done)](const absl::StatusOr<CommitResult>& result) mutable {
        if (!result.ok()) return done(result.status());
        if (result->succeeded) return done(result->revision);
        // Somebody else has stored this user, or the secret.
        CreateUser(steps, std::move(record), std::move(user), std::move(done));
      });
}

void CreateUser(const StoreSteps& steps, metadata::UserRecord record, NewUser user,
                RevisionCallback done) {
  auto on_secret = [steps, record = std::move(record), user, done = std::move(done)](
                       const absl::StatusOr<std::optional<KeyValue>>& secret) mutable {
    if (!secret.ok()) return done(secret.status());
    StoreUser(steps, std::move(record), std::move(user), *secret, std::move(done));
  };
  auto on_user = [steps, name = user.name, on_secret = std::move(on_secret)](
                     const absl::StatusOr<std::optional<KeyValue>>& found) mutable {
    if (!found.ok()) return on_secret(found.status());
    if (found->has_value()) return on_secret(Exists(name));
    steps.store().Get(std::string(metadata::kLoginSecretKey), steps.executor(),
                      std::move(on_secret));
  };
  steps.store().Get(metadata::UserKey(user.name), steps.executor(), std::move(on_user));
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
  dependencies_.executor.Post([steps, &clock = dependencies_.clock, user = std::move(user),
                               done = std::move(done)]() mutable {
    metadata::UserRecord record{.created = clock.Now(),
                                .scram_sha_256 = user.scram_sha_256,
                                .scram_sha_512 = user.scram_sha_512};
    CreateUser(steps, std::move(record), std::move(user), std::move(done));
  });
}

void UserController::Delete(std::string name, RevisionCallback done) {
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post([steps, name = std::move(name), done = std::move(done)]() mutable {
    DeleteUser(steps, std::move(name), std::move(done));
  });
}

}  // namespace talosmq::controller
