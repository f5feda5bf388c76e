#include "rpc/server_credentials.h"

#include "base/status.h"
#include "rpc/staged_certificates.h"

#include <grpcpp/security/tls_credentials_options.h>

namespace talosmq::rpc {

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    base::TlsWatch* tls) {
  if (tls == nullptr) return grpc::InsecureServerCredentials();
  TALOSMQ_ASSIGN_OR_RETURN(const auto staged, StagedCertificates::Create(*tls->current()));
  TALOSMQ_RETURN_IF_ERROR(tls->SetListener(
      [staged](const base::TlsMaterial& material) { return staged->Replace(material); }));
  grpc::experimental::TlsServerCredentialsOptions options(staged);
  options.watch_identity_key_cert_pairs();
  if (!tls->files().ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace talosmq::rpc
