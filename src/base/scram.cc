#include "base/scram.h"

#include "base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace talosmq::base {
namespace {

const EVP_MD* DigestOf(ScramHash hash) {
  return hash == ScramHash::kSha256 ? EVP_sha256() : EVP_sha512();
}

unsigned char* BytesOf(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* BytesOf(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

size_t ScramKeyBytes(ScramHash hash) {
  return static_cast<size_t>(EVP_MD_get_size(DigestOf(hash)));
}

std::string ScramDigest(ScramHash hash, std::string_view text) {
  std::string digest(ScramKeyBytes(hash), '\0');
  TALOSMQ_CHECK(
      EVP_Digest(text.data(), text.size(), BytesOf(digest), nullptr, DigestOf(hash), nullptr) == 1)
      << "OpenSSL has no such digest";
  return digest;
}

std::string ScramMac(ScramHash hash, std::string_view key, std::string_view text) {
  std::string mac(ScramKeyBytes(hash), '\0');
  TALOSMQ_CHECK(HMAC(DigestOf(hash), key.data(), static_cast<int>(key.size()), BytesOf(text),
                     text.size(), BytesOf(mac), nullptr) != nullptr)
      << "OpenSSL has no such digest";
  return mac;
}

std::string ScramSaltPassword(ScramHash hash, std::string_view password, std::string_view salt,
                              int32_t iterations) {
  std::string salted(ScramKeyBytes(hash), '\0');
  TALOSMQ_CHECK(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), BytesOf(salt),
                                  static_cast<int>(salt.size()), iterations, DigestOf(hash),
                                  static_cast<int>(salted.size()), BytesOf(salted)) == 1)
      << "OpenSSL has no such digest";
  return salted;
}

ScramCredential MakeScramCredential(ScramHash hash, std::string_view password,
                                    std::string_view salt, int32_t iterations) {
  const std::string salted = ScramSaltPassword(hash, password, salt, iterations);
  return {.salt = std::string(salt),
          .iterations = iterations,
          .stored_key = ScramDigest(hash, ScramMac(hash, salted, "Client Key")),
          .server_key = ScramMac(hash, salted, "Server Key")};
}

bool IsEqualSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string RandomSecret(size_t bytes) {
  std::string secret(bytes, '\0');
  TALOSMQ_CHECK(RAND_bytes(BytesOf(secret), static_cast<int>(bytes)) == 1)
      << "the kernel gives no random bytes";
  return secret;
}

}  // namespace talosmq::base
