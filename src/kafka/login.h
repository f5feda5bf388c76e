#pragma once

#include "base/executor.h"
#include "base/scram.h"
#include "broker/topics.h"
#include "kafka/cancellation.h"
#include "kafka/front_metrics.h"
#include "kafka/loop.h"
#include "kafka/scram_exchange.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::kafka {

/// What the server answers to one step of a login.
struct LoginStep {
  enum class Kind {
    kNext,     ///< All is well so far: `token` is for the client.
    kRefused,  ///< Why is told to nobody.
    kIllegal,  ///< No login is under way.
    kBusy,     ///< Too many clients log in at a time.
  };
  Kind kind = Kind::kRefused;
  std::string token = {};
};

/// How far the client of one connection has come with proving who it is.
///
/// 1. One login is tried; when it has failed, everything that follows is refused.
/// 2. A user that there is not is answered as one that there is, in the same words and time, and
///    with the same salt each time.
/// 3. PLAIN, by which the password itself comes, is there only where the connection is encrypted.
///
/// Confined to the loop of its connection. Secrets are never logged.
class Login : public std::enable_shared_from_this<Login> {
 public:
  struct Dependencies {
    const broker::TopicService& topics;  ///< Whose image has the users.
    std::shared_ptr<Loop> loop;
    base::Executor& verifier;     ///< Where passwords are looked at, which takes long.
    const FrontMetrics& metrics;  ///< Outlives the loop.
  };
  enum class Channel { kPlain, kEncrypted };

  Login(Channel channel, Dependencies dependencies)
      : channel_(channel), dependencies_(dependencies) {}

  bool is_done() const { return state_ == State::kDone; }
  bool has_failed() const { return state_ == State::kFailed; }
  /// The next frame is a token of the client's without a header, as SaslHandshake 0 has it.
  bool expects_bare_token() const { return state_ == State::kToken && is_bare_; }
  /// Before it is done there are ApiVersions, SaslHandshake and SaslAuthenticate.
  bool IsOpen(int16_t api_key) const;
  /// False once the user has been deleted, or deleted and made again.
  bool IsStillValid() const;

  std::vector<std::string_view> mechanisms() const;
  /// kNext: the tokens of that mechanism may come. kRefused: there is no such mechanism here.
  LoginStep::Kind Choose(std::string_view mechanism, int16_t handshake_version);
  /// Takes the client's next token; answers on the loop. A password that nobody waits for any more,
  /// which `cancellation` tells, is refused without a look.
  void Take(std::string_view token, std::shared_ptr<const Cancellation> cancellation,
            base::Callback<LoginStep> done);
  /// The connection ends because it is not done.
  void Expire() { End(LoginResult::kLate); }

 private:
  enum class State { kNone, kToken, kVerifying, kDone, kFailed };
  /// As of the last look at the image, of a user that there may not be.
  struct Account {
    base::ScramCredential credential;
    std::optional<int64_t> revision;  ///< Nothing: there is no such user.
  };

  void TakeFirst(std::string_view token, base::Callback<LoginStep> done);
  void TakeFinal(std::string_view token, base::Callback<LoginStep> done);
  void TakePlain(std::string_view token, std::shared_ptr<const Cancellation> cancellation,
                 base::Callback<LoginStep> done);
  /// Takes as long whether the user is there or not.
  Account Find(std::string_view user, base::ScramHash hash) const;
  void Fail(base::Callback<LoginStep> done);
  void Succeed(std::string token, base::Callback<LoginStep> done);
  /// It is done or has failed, and is counted once.
  void End(LoginResult result);

  const Channel channel_;
  const Dependencies dependencies_;
  State state_ = State::kNone;
  bool is_bare_ = false;
  LoginMechanism mechanism_ = LoginMechanism::kOther;
  std::optional<ScramExchange> scram_;  ///< Of a mechanism that is one.
  base::ScramHash hash_ = base::ScramHash::kSha256;
  bool is_challenged_ = false;
  std::string user_;
  std::optional<int64_t> revision_;  ///< Of `user_`; nothing: there is no such user.
};

}  // namespace talosmq::kafka
