#pragma once

#include "absl/status/statusor.h"

#include <memory>
#include <string>

struct ssl_ctx_st;

namespace talosmq::base {

/// The PEM files of one side of TLS; an empty name is a file that is not used.
struct TlsFiles {
  std::string ca;           ///< Whom the other side's certificate must come from.
  std::string certificate;  ///< What this side shows: its certificate, then those above it.
  std::string key;          ///< The private key of `certificate`.
};

/// What the files held when they were read. Immutable.
/// Invariant: each text is what its file should hold, and the key is the certificate's.
struct TlsMaterial {
  std::string ca;  ///< This and the following: PEM, empty when the file is not used.
  std::string certificate;
  std::string key;
  /// The same for OpenSSL: TLS 1.2 and later, every connection with a handshake of its own. Who
  /// uses it decides whether the other side needs a certificate.
  std::shared_ptr<ssl_ctx_st> context;
};

/// Reads the files that are named. kInvalidConfig, naming the file, when one cannot be read, is
/// longer than 1 MiB, is not what it should be, or is a key of another certificate or behind a
/// password. Nothing of a key is ever told.
absl::StatusOr<std::shared_ptr<const TlsMaterial>> ReadTlsFiles(const TlsFiles& files);

/// Key and certificates as one PEM text, for a reader that looks for both in one file and so never
/// gets one of them without the other. Certificates that lie beside the key are not in it. Needs
/// both.
std::string IdentityOf(const TlsMaterial& material);

}  // namespace talosmq::base
