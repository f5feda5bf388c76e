#include "talosmq/client.h"

#include "base/status.h"
#include "client/connect.h"
#include "client/grpc_transport.h"
#include "client/option_checks.h"

#include <utility>

namespace talosmq {

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  TALOSMQ_RETURN_IF_ERROR(client::CheckOptions(options));
  return client::ConnectWithTransport(client::MakeGrpcTransport(), std::move(options));
}

}  // namespace talosmq
