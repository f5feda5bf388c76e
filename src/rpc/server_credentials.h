#pragma once

#include "base/tls_files.h"

#include <grpcpp/security/server_credentials.h>

#include <memory>

namespace talosmq::rpc {

/// What the port shows and asks for: nothing when no certificate is named, else TLS; with `ca` a
/// client without a certificate of it does not get past the handshake. The files have been checked;
/// a change of them holds for connections made later. While they cannot be read the last ones hold.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const base::TlsFiles& files);

}  // namespace talosmq::rpc
