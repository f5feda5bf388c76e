#include "kafka/login.h"

#include "base/bytes.h"
#include "base/text.h"
#include "kafka/protocol/apis.h"

#include "absl/strings/escaping.h"

#include <algorithm>
#include <utility>

namespace talosmq::kafka {
namespace {

constexpr std::string_view kPlain = "PLAIN";
constexpr std::string_view kScram256 = "SCRAM-SHA-256";
constexpr std::string_view kScram512 = "SCRAM-SHA-512";
constexpr size_t kNonceBytes = 18;
constexpr size_t kTextBytesMax = 256;  ///< Of a name or a password; no user has a longer one.

LoginMechanism MechanismOf(std::string_view name) {
  if (name == kPlain) return LoginMechanism::kPlain;
  return name == kScram512 ? LoginMechanism::kScramSha512 : LoginMechanism::kScramSha256;
}

std::string NewNonce() {
  return absl::WebSafeBase64Escape(base::ToAbsl(base::RandomSecret(kNonceBytes)));
}

/// What the keys of users that there are not are made of while no user has ever been made.
const std::string& SecretOfProcess() {
  static const std::string secret =
      base::RandomSecret(base::ScramKeyBytes(base::ScramHash::kSha256));
  return secret;
}

/// Of a user that there is not: no password fits it, and it is the same at each try.
base::ScramCredential Decoy(const std::string& secret, std::string_view user,
                            base::ScramHash hash) {
  const auto derive = [&](std::string_view what) {
    return base::ScramMac(hash, secret, base::StrCat(what, " ", user));
  };
  return {.salt = derive("salt").substr(0, base::kScramSaltBytes),
          .iterations = base::kScramIterations,
          .stored_key = derive("stored key"),
          .server_key = derive("server key")};
}

/// RFC 4616: whom to act for, who it is, the password; with zero bytes between.
struct PlainToken {
  std::string_view user;
  std::string_view password;
};
std::optional<PlainToken> ParsePlain(std::string_view token) {
  const size_t first = token.find('\0');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = token.find('\0', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::string_view acts_for = token.substr(0, first);
  const PlainToken parsed{.user = token.substr(first + 1, second - first - 1),
                          .password = token.substr(second + 1)};
  // Without the last test zero bytes behind a password would change nothing: HMAC pads its key.
  const bool is_sound = !parsed.user.empty() && parsed.user.size() <= kTextBytesMax &&
                        parsed.password.size() <= kTextBytesMax &&
                        (acts_for.empty() || acts_for == parsed.user) &&
                        parsed.password.find('\0') == std::string_view::npos;
  return is_sound ? std::optional(parsed) : std::nullopt;
}

bool IsPasswordOf(const base::ScramCredential& credential, base::ScramHash hash,
                  std::string_view password) {
  const base::ScramCredential made =
      base::MakeScramCredential(hash, password, credential.salt, credential.iterations);
  return base::IsEqualSecret(made.stored_key, credential.stored_key);
}

}  // namespace

bool Login::IsOpen(int16_t api_key) const {
  if (is_done()) return true;
  if (has_failed()) return false;
  constexpr ApiKey kOpen[] = {ApiKey::kApiVersions, ApiKey::kSaslHandshake,
                              ApiKey::kSaslAuthenticate};
  return std::ranges::any_of(
      kOpen, [api_key](ApiKey key) { return static_cast<int16_t>(key) == api_key; });
}

bool Login::IsStillValid() const {
  const auto image = dependencies_.topics.image();
  const auto found = image->users.find(user_);
  return found != image->users.end() && static_cast<int64_t>(found->second->revision) == revision_;
}

std::vector<std::string_view> Login::mechanisms() const {
  if (channel_ == Channel::kPlain) return {kScram256, kScram512};
  return {kPlain, kScram256, kScram512};
}

LoginStep::Kind Login::Choose(std::string_view mechanism, int16_t handshake_version) {
  if (state_ == State::kDone) return LoginStep::Kind::kIllegal;
  if (state_ != State::kNone) {
    End(LoginResult::kRefused);
    return LoginStep::Kind::kIllegal;
  }
  const std::vector<std::string_view> known = mechanisms();
  if (std::ranges::find(known, mechanism) == known.end()) {
    End(LoginResult::kRefused);
    return LoginStep::Kind::kRefused;
  }
  state_ = State::kToken;
  is_bare_ = handshake_version == 0;
  hash_ = mechanism == kScram512 ? base::ScramHash::kSha512 : base::ScramHash::kSha256;
  mechanism_ = MechanismOf(mechanism);
  if (mechanism != kPlain) scram_.emplace(hash_, NewNonce());
  return LoginStep::Kind::kNext;
}

void Login::Take(std::string_view token, std::shared_ptr<const Cancellation> cancellation,
                 base::Callback<LoginStep> done) {
  if (state_ == State::kDone) return done({.kind = LoginStep::Kind::kIllegal});
  if (state_ != State::kToken) {
    End(LoginResult::kRefused);
    return done({.kind = LoginStep::Kind::kIllegal});
  }
  if (!scram_) return TakePlain(token, std::move(cancellation), std::move(done));
  return is_challenged_ ? TakeFinal(token, std::move(done)) : TakeFirst(token, std::move(done));
}

void Login::TakeFirst(std::string_view token, base::Callback<LoginStep> done) {
  const std::optional<std::string> user = scram_->TakeFirst(token);
  if (!user || user->size() > kTextBytesMax) return Fail(std::move(done));
  user_ = *user;
  Account account = Find(user_, hash_);
  revision_ = account.revision;
  is_challenged_ = true;
  done({.kind = LoginStep::Kind::kNext, .token = scram_->Challenge(std::move(account.credential))});
}

void Login::TakeFinal(std::string_view token, base::Callback<LoginStep> done) {
  std::optional<std::string> reply = scram_->TakeFinal(token);
  if (!reply || !revision_) return Fail(std::move(done));
  Succeed(*std::move(reply), std::move(done));
}

void Login::TakePlain(std::string_view token, std::shared_ptr<const Cancellation> cancellation,
                      base::Callback<LoginStep> done) {
  const std::optional<PlainToken> parsed = ParsePlain(token);
  if (!parsed) return Fail(std::move(done));
  user_ = parsed->user;
  Account account = Find(user_, hash_);
  revision_ = account.revision;
  state_ = State::kVerifying;
  auto owned = std::make_shared<base::Callback<LoginStep>>(std::move(done));
  base::Task verify = [self = shared_from_this(), loop = dependencies_.loop, hash = hash_,
                       password = std::string(parsed->password),
                       credential = std::move(account.credential),
                       cancellation = std::move(cancellation), owned]() mutable {
    const bool is_right = !cancellation->is_cancelled() && IsPasswordOf(credential, hash, password);
    loop->Post([self = std::move(self), owned = std::move(owned), is_right] {
      if (!is_right || !self->revision_) return self->Fail(std::move(*owned));
      self->Succeed("", std::move(*owned));
    });
  };
  if (dependencies_.verifier.TryPost(verify)) return;
  End(LoginResult::kBusy);
  (*owned)({.kind = LoginStep::Kind::kBusy});
}

Login::Account Login::Find(std::string_view user, base::ScramHash hash) const {
  const auto image = dependencies_.topics.image();
  const std::string& secret = image->login_secret.empty() ? SecretOfProcess() : image->login_secret;
  // Made for those that there are too: who it is must not show in the time.
  Account account{.credential = Decoy(secret, user, hash), .revision = std::nullopt};
  const auto found = image->users.find(user);
  if (found == image->users.end()) return account;
  account.credential = hash == base::ScramHash::kSha256 ? found->second->scram_sha_256
                                                        : found->second->scram_sha_512;
  account.revision = static_cast<int64_t>(found->second->revision);
  return account;
}

void Login::Fail(base::Callback<LoginStep> done) {
  End(LoginResult::kRefused);
  done({.kind = LoginStep::Kind::kRefused});
}

void Login::Succeed(std::string token, base::Callback<LoginStep> done) {
  End(LoginResult::kDone);
  done({.kind = LoginStep::Kind::kNext, .token = std::move(token)});
}

void Login::End(LoginResult result) {
  scram_.reset();
  if (has_failed()) return;
  state_ = result == LoginResult::kDone ? State::kDone : State::kFailed;
  dependencies_.metrics.Logins(mechanism_, result).Add(1);
}

}  // namespace talosmq::kafka
