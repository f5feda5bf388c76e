#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <string>

namespace talosmq::base {

/// The PEM files of one side of TLS; an empty name is a file that is not used.
struct TlsFiles {
  std::string ca;           ///< Whom the other side's certificate must come from.
  std::string certificate;  ///< What this side shows: its certificate, then those above it.
  std::string key;          ///< The private key of `certificate`.
};

/// How often files are looked at for a change; the connections made later use what is found.
inline constexpr absl::Duration kTlsReloadInterval = absl::Seconds(1);

/// Reads the files that are named and checks that they are what they should be and that key and
/// certificate belong together. kInvalidConfig names the file; nothing of a key is ever told.
absl::Status CheckTlsFiles(const TlsFiles& files);

}  // namespace talosmq::base
