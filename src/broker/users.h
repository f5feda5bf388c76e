#pragma once

#include "base/executor.h"
#include "base/scram.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <string>

namespace talosmq::broker {

struct UserCreation {
  std::string name;
  base::ScramCredential scram_sha_256;
  base::ScramCredential scram_sha_512;
};

/// Who may log in where a login is asked for. Same threading rules and deadlines as TopicService,
/// whose image has the users: a change answers once it shows there.
class UserService {
 public:
  virtual ~UserService() = default;

  /// kInvalidArgument as UserController::Create() has it, and when there are as many users as
  /// there may be.
  virtual void Create(UserCreation creation, absl::Duration deadline,
                      base::Callback<absl::Status> done) = 0;
  /// kInvalidArgument when there is no such user. Whoever has logged in as that user may ask for
  /// nothing more.
  virtual void Delete(std::string name, absl::Duration deadline,
                      base::Callback<absl::Status> done) = 0;
};

}  // namespace talosmq::broker
