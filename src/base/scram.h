#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::base {

/// Of SCRAM-SHA-256 (RFC 7677) and SCRAM-SHA-512 (the same with the longer hash).
enum class ScramHash { kSha256, kSha512 };

/// Bounds of an iteration count: the least that RFC 7677 allows, and what a login may cost us.
inline constexpr int32_t kScramIterationsMin = 4096;
inline constexpr int32_t kScramIterationsMax = 65'536;
/// Of new passwords.
inline constexpr int32_t kScramIterations = 16'384;
inline constexpr size_t kScramSaltBytes = 16;

/// What a server keeps of a password (RFC 5802 section 3). The password cannot be made from it, but
/// passwords can be tried out; with the stored key and one login that was overheard others log in,
/// and with the server key they play the server. Keys have the size of the hash.
struct ScramCredential {
  std::string salt = {};
  int32_t iterations = 0;
  std::string stored_key = {};
  std::string server_key = {};

  friend bool operator==(const ScramCredential&, const ScramCredential&) = default;
};

size_t ScramKeyBytes(ScramHash hash);
/// The functions H, HMAC and Hi of RFC 5802 section 2.2.
std::string ScramDigest(ScramHash hash, std::string_view text);
std::string ScramMac(ScramHash hash, std::string_view key, std::string_view text);
/// Takes about 0.6 µs for each iteration.
std::string ScramSaltPassword(ScramHash hash, std::string_view password, std::string_view salt,
                              int32_t iterations);

/// `password` as it was typed: it is printable ASCII, which SASLprep (RFC 4013) leaves as it is.
ScramCredential MakeScramCredential(ScramHash hash, std::string_view password,
                                    std::string_view salt, int32_t iterations);

/// Takes as long whatever the texts hold, if they are of one size.
bool IsEqualSecret(std::string_view a, std::string_view b);

/// Bytes that nobody can guess.
std::string RandomSecret(size_t bytes);

}  // namespace talosmq::base
