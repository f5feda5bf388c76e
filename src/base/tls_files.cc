#include "base/tls_files.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <fstream>
#include <string_view>

namespace talosmq::base {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 20;
constexpr std::string_view kAuthorities = "PEM certificates of an authority";
constexpr std::string_view kChain = "a PEM certificate chain";

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

absl::Status Unusable(const std::string& path, std::string_view expected, std::string_view found) {
  return MakeError(Reason::kInvalidConfig,
                   StrCat(path, ": expected ", expected, ", found: ", found));
}

/// With OpenSSL's words for what went wrong last.
absl::Status Unusable(const std::string& path, std::string_view expected) {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return Unusable(path, expected, reason == nullptr ? "something else" : reason);
}

absl::StatusOr<std::string> ReadWhole(const std::string& path, std::string_view expected) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) return Unusable(path, expected, "a file that cannot be read");
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kFileBytesMax) return Unusable(path, expected, "more than 1 MiB");
  return text;
}

Bio BioOver(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

/// Null at the end of the text.
Certificate NextCertificate(BIO* text) {
  return {PEM_read_bio_X509(text, nullptr, nullptr, nullptr), &X509_free};
}

/// Reading certificates ends with an error in any case; this one says that there are no more.
bool IsAtEnd() {
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (is_at_end) ERR_clear_error();
  return is_at_end;
}

bool LoadAuthorities(SSL_CTX* context, const std::string& text) {
  const Bio bio = BioOver(text);
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  int count = 0;
  for (; const Certificate next = NextCertificate(bio.get()); ++count) {
    if (X509_STORE_add_cert(store, next.get()) != 1) return false;
  }
  return IsAtEnd() && count > 0;
}

bool LoadChain(SSL_CTX* context, const std::string& text) {
  const Bio bio = BioOver(text);
  const Certificate own = NextCertificate(bio.get());
  if (own == nullptr || SSL_CTX_use_certificate(context, own.get()) != 1) return false;
  while (const Certificate above = NextCertificate(bio.get())) {
    if (SSL_CTX_add1_chain_cert(context, above.get()) != 1) return false;
  }
  return IsAtEnd();
}

bool LoadKey(SSL_CTX* context, const std::string& text) {
  const Bio bio = BioOver(text);
  // Without it OpenSSL would ask for the password of a key on the terminal.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr),
                       &EVP_PKEY_free);
  return key != nullptr && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TlsMaterial>> ReadTlsFiles(const TlsFiles& files) {
  const std::string key_of = StrCat("the PEM private key of ", files.certificate);
  auto material = std::make_shared<TlsMaterial>();
  TALOSMQ_ASSIGN_OR_RETURN(material->ca, ReadWhole(files.ca, kAuthorities));
  TALOSMQ_ASSIGN_OR_RETURN(material->certificate, ReadWhole(files.certificate, kChain));
  TALOSMQ_ASSIGN_OR_RETURN(material->key, ReadWhole(files.key, key_of));
  material->context.reset(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  SSL_CTX* const context = material->context.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // A session that is resumed would skip the checks of a certificate that has run out since.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context, 0);
  ERR_clear_error();
  if (!files.ca.empty() && !LoadAuthorities(context, material->ca)) {
    return Unusable(files.ca, kAuthorities);
  }
  if (!files.certificate.empty() && !LoadChain(context, material->certificate)) {
    return Unusable(files.certificate, kChain);
  }
  if (!files.key.empty() && !LoadKey(context, material->key)) return Unusable(files.key, key_of);
  return material;
}

std::string IdentityOf(const TlsMaterial& material) {
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free);
  EVP_PKEY* const key = SSL_CTX_get0_privatekey(material.context.get());
  TALOSMQ_CHECK(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) ==
                1)
      << "the key was read a moment ago";
  char* text = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio.get(), &text));
  return StrCat(std::string_view(text, size), material.certificate);
}

}  // namespace talosmq::base
