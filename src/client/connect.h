#pragma once

#include "client/transport.h"
#include "talosmq/client.h"

#include "absl/status/statusor.h"

#include <memory>

namespace talosmq::client {

/// The version of the protocol that this SDK speaks.
inline constexpr int32_t kProtocolVersion = 1;

/// Client::Connect over another transport: checks the options, starts the client's thread, shakes
/// hands.
absl::StatusOr<std::unique_ptr<Client>> ConnectWithTransport(std::unique_ptr<Transport> transport,
                                                             ClientOptions options);

}  // namespace talosmq::client
