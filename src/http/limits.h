#pragma once

#include "absl/time/time.h"

#include <cstddef>

namespace talosmq::http {

// What a client of the HTTP port may take. Above a bound its connection is closed.

/// Request line, headers and body together.
inline constexpr size_t kRequestBytesMax = size_t{32} << 10;
/// From the first byte of the handshake or the request to the last of the answer.
inline constexpr absl::Duration kRequestTimeout = absl::Seconds(10);
/// Threads that serve; a connection has one while its request lasts. Further connections wait in
/// the kernel.
inline constexpr size_t kThreads = 16;
/// While all are taken, the oldest connection that waits for its client is ended so often.
inline constexpr absl::Duration kMakeRoomInterval = absl::Milliseconds(10);
/// How long an answer about health may take.
inline constexpr absl::Duration kHealthTimeout = absl::Seconds(5);

}  // namespace talosmq::http
