#pragma once

#include "base/scram.h"
#include "base/text.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

#include <string>
#include <string_view>
#include <utility>

namespace talosmq::kafka {

/// The client's side of a SCRAM login, of which tests change what they like.
struct ScramClient {
  base::ScramHash hash = base::ScramHash::kSha256;
  std::string user = "alice";
  std::string password = "correct horse";
  std::string gs2_header = "n,,";
  std::string nonce = "rOprNGfwEbeRWgbNEkqO";
  std::string final_header = "";  ///< Empty: the one above.
  std::string final_nonce = "";   ///< Empty: the server's.

  std::string Bare() const { return base::StrCat("n=", user, ",r=", nonce); }
  std::string First() const { return gs2_header + Bare(); }

  static std::string Attribute(std::string_view message, char name) {
    const std::string begin = base::StrCat(std::string(1, name), "=");
    size_t at = message.starts_with(begin) ? 0 : message.find("," + begin);
    if (at == std::string_view::npos) return "";
    at += message.starts_with(begin) ? size_t{2} : size_t{3};
    return std::string(message.substr(at, message.find(',', at) - at));
  }
  static std::string Base64(std::string_view bytes) {
    return absl::Base64Escape(base::ToAbsl(bytes));
  }
  static std::string FromBase64(const std::string& text) {
    std::string bytes;
    EXPECT_TRUE(absl::Base64Unescape(text, &bytes)) << text;
    return bytes;
  }

  std::string Final(std::string_view challenge) const {
    const std::string header = final_header.empty() ? gs2_header : final_header;
    const std::string both = final_nonce.empty() ? Attribute(challenge, 'r') : final_nonce;
    const std::string without_proof = base::StrCat("c=", Base64(header), ",r=", both);
    const std::string seen = base::StrCat(Bare(), ",", challenge, ",", without_proof);
    const std::string salted =
        base::ScramSaltPassword(hash, password, FromBase64(Attribute(challenge, 's')),
                                std::stoi(Attribute(challenge, 'i')));
    std::string proof = base::ScramMac(hash, salted, "Client Key");
    const std::string signature = base::ScramMac(hash, base::ScramDigest(hash, proof), seen);
    for (size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    return base::StrCat(without_proof, ",p=", Base64(proof));
  }
};

}  // namespace talosmq::kafka
