#pragma once

#include <string>

namespace talosmq::support {

/// A certificate that is its own authority, and its key, as PEM.
struct CertifiedKey {
  std::string certificate;
  std::string key;
};

/// A new one for localhost, good for an hour.
CertifiedKey MakeCertifiedKey();

}  // namespace talosmq::support
