#pragma once

#include "absl/time/time.h"

#include <cstddef>

namespace talosmq::http {

// What a client of the HTTP port may take. Above a bound its connection is closed.

/// Request line, headers and body together.
inline constexpr size_t kRequestBytesMax = size_t{32} << 10;
/// From the first byte to the last of request and answer.
inline constexpr absl::Duration kRequestTimeout = absl::Seconds(10);
/// Threads that serve; a connection has one while its request lasts.
inline constexpr size_t kThreads = 2;
/// Connections that wait for a thread; further ones wait in the kernel.
inline constexpr size_t kWaitingConnectionsMax = 64;
/// How long an answer about health may take.
inline constexpr absl::Duration kHealthTimeout = absl::Seconds(5);

}  // namespace talosmq::http
