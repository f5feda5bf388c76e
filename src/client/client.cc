#include "talosmq/client.h"

#include "base/status.h"
#include "base/tls_files.h"
#include "client/connect.h"
#include "client/grpc_transport.h"
#include "client/option_checks.h"

#include <utility>

namespace talosmq {

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  TALOSMQ_RETURN_IF_ERROR(client::CheckOptions(options));
  const base::TlsFiles tls{
      .ca = options.tls_ca, .certificate = options.tls_cert, .key = options.tls_key};
  TALOSMQ_ASSIGN_OR_RETURN(auto transport, client::MakeGrpcTransport(tls));
  return client::ConnectWithTransport(std::move(transport), std::move(options));
}

}  // namespace talosmq
