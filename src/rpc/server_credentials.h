#pragma once

#include "base/tls_watch.h"

#include "absl/status/statusor.h"
#include <grpcpp/security/server_credentials.h>

#include <memory>

namespace talosmq::rpc {

/// What the port shows and asks for: nothing without `tls`, else TLS 1.2 and later; with an
/// authority a client without a certificate of it does not get past the handshake. What comes into
/// force in the watch does so here within kTlsReloadInterval. kInternal when the kernel does not
/// give what that takes.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(base::TlsWatch* tls);

}  // namespace talosmq::rpc
