#include "client/user_credential.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>

namespace talosmq::client {
namespace {

constexpr size_t kPasswordBytesMin = 8;
constexpr size_t kPasswordBytesMax = 128;

}  // namespace

absl::Status CheckPassword(std::string_view password) {
  const bool is_sound = std::ranges::all_of(password, [](char c) { return c >= ' ' && c <= '~'; });
  if (is_sound && password.size() >= kPasswordBytesMin && password.size() <= kPasswordBytesMax) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("password: expected ", kPasswordBytesMin, " to ", kPasswordBytesMax,
                                " printable ASCII characters"));
}

void WriteCredential(base::ScramHash hash, std::string_view password, v1::ScramCredential& to) {
  const base::ScramCredential credential = base::MakeScramCredential(
      hash, password, base::RandomSecret(base::kScramSaltBytes), base::kScramIterations);
  to.set_salt(credential.salt);
  to.set_iterations(credential.iterations);
  to.set_stored_key(credential.stored_key);
  to.set_server_key(credential.server_key);
}

}  // namespace talosmq::client
