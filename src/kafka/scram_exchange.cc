#include "kafka/scram_exchange.h"

#include "base/bytes.h"
#include "base/text.h"

#include "absl/strings/escaping.h"

#include <algorithm>
#include <utility>

namespace talosmq::kafka {
namespace {

/// The text up to the next comma, which goes too.
std::string_view TakePart(std::string_view& rest) {
  const size_t comma = rest.find(',');
  const std::string_view part = rest.substr(0, comma);
  rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  return part;
}

/// The value of the attribute `name`, which is the next one.
std::optional<std::string_view> TakeAttribute(std::string_view& rest, char name) {
  const std::string_view part = TakePart(rest);
  if (part.size() < 2 || part[0] != name || part[1] != '=') return std::nullopt;
  return part.substr(2);
}

/// A name in which "=2C" is a comma and "=3D" an equals sign.
std::optional<std::string> DecodeName(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    if (text.front() != '=') {
      name += text.front();
      text.remove_prefix(1);
      continue;
    }
    if (text.starts_with("=2C")) {
      name += ',';
    } else if (text.starts_with("=3D")) {
      name += '=';
    } else {
      return std::nullopt;
    }
    text.remove_prefix(3);
  }
  return name;
}

bool IsNonce(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

std::string Base64(std::string_view bytes) { return absl::Base64Escape(base::ToAbsl(bytes)); }

std::string Xor(std::string_view a, std::string_view b) {
  std::string result(a);
  for (size_t i = 0; i < result.size(); ++i) result[i] = static_cast<char>(a[i] ^ b[i]);
  return result;
}

}  // namespace

std::optional<std::string> ScramExchange::TakeFirst(std::string_view message) {
  std::string_view rest = message;
  // "y": the client could bind the channel, and thinks that we cannot, which is so. "p": it wants
  // to, under a name of the mechanism that we do not have.
  const std::string_view binding = TakePart(rest);
  if (binding != "n" && binding != "y") return std::nullopt;
  const std::string_view acts_for = TakePart(rest);
  if (!acts_for.empty() && !acts_for.starts_with("a=")) return std::nullopt;
  gs2_header_ = message.substr(0, message.size() - rest.size());
  first_bare_ = rest;
  const auto name = TakeAttribute(rest, 'n');  // An extension that must be understood is "m=".
  const auto nonce = TakeAttribute(rest, 'r');
  if (!name || !nonce || !IsNonce(*nonce)) return std::nullopt;
  client_nonce_ = *nonce;
  nonce_ = base::StrCat(client_nonce_, server_nonce_);
  std::optional<std::string> user = DecodeName(*name);
  if (!user || user->empty()) return std::nullopt;
  if (!acts_for.empty() && DecodeName(acts_for.substr(2)) != user) return std::nullopt;
  return user;
}

std::string ScramExchange::Challenge(base::ScramCredential credential) {
  credential_ = std::move(credential);
  challenge_ =
      base::StrCat("r=", nonce_, ",s=", Base64(credential_.salt), ",i=", credential_.iterations);
  return challenge_;
}

std::optional<std::string> ScramExchange::TakeFinal(std::string_view message) const {
  const size_t proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos) return std::nullopt;
  const std::string_view without_proof = message.substr(0, proof_at);
  const std::string_view proof_text = message.substr(proof_at + 3);
  std::string proof;
  if (!absl::Base64Unescape(base::ToAbsl(proof_text), &proof) || Base64(proof) != proof_text ||
      proof.size() != base::ScramKeyBytes(hash_)) {
    return std::nullopt;
  }
  std::string_view rest = without_proof;
  // Both have seen one header, so nobody between has taken the wish for a better binding out of it.
  if (TakeAttribute(rest, 'c') != Base64(gs2_header_)) return std::nullopt;
  // librdkafka before 2.6.1 puts the client's nonce once more in front of both, and seals that with
  // its proof; the server's is in it all the same, which is what keeps old messages out.
  const auto nonce = TakeAttribute(rest, 'r');
  if (nonce != nonce_ && nonce != client_nonce_ + nonce_) return std::nullopt;
  const std::string seen = base::StrCat(first_bare_, ",", challenge_, ",", without_proof);
  const std::string client_key = Xor(proof, base::ScramMac(hash_, credential_.stored_key, seen));
  if (!base::IsEqualSecret(base::ScramDigest(hash_, client_key), credential_.stored_key)) {
    return std::nullopt;
  }
  return base::StrCat("v=", Base64(base::ScramMac(hash_, credential_.server_key, seen)));
}

}  // namespace talosmq::kafka
