#include "rpc/server_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

namespace talosmq::rpc {

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const base::TlsFiles& files) {
  if (files.certificate.empty()) return grpc::InsecureServerCredentials();
  const auto seconds = static_cast<unsigned>(absl::ToInt64Seconds(base::kTlsReloadInterval));
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          files.key, files.certificate, files.ca, seconds));
  options.watch_identity_key_cert_pairs();
  if (!files.ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace talosmq::rpc
