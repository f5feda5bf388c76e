#include "base/tls_files.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string_view>

namespace talosmq::base {
namespace {

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

absl::Status Unusable(const std::string& path, std::string_view expected) {
  const char* const reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  return MakeError(Reason::kInvalidConfig, StrCat(path, ": expected ", expected, ", found: ",
                                                  reason == nullptr ? "something else" : reason));
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  const Context context(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  ERR_clear_error();
  if (!files.ca.empty() && SSL_CTX_load_verify_file(context.get(), files.ca.c_str()) != 1) {
    return Unusable(files.ca, "PEM certificates of an authority");
  }
  if (!files.certificate.empty() &&
      SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return Unusable(files.certificate, "a PEM certificate chain");
  }
  if (!files.key.empty() &&
      SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Unusable(files.key, StrCat("the PEM private key of ", files.certificate));
  }
  return absl::OkStatus();
}

}  // namespace talosmq::base
