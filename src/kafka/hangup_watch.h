#pragma once

#include "base/executor.h"

#include <asio/ip/tcp.hpp>
#include <asio/posix/stream_descriptor.hpp>

namespace talosmq::kafka {

/// Tells that the other side of a socket has ended its sending, or the connection, also while
/// bytes that came before wait in the socket: until these are read, nothing else tells it. Without
/// a descriptor for it, it tells nothing.
/// Confined to the loop of the socket, which it borrows.
class HangupWatch {
 public:
  /// `on_hangup` runs on the loop, once at most, and not after the destructor.
  HangupWatch(asio::ip::tcp::socket& socket, base::Task on_hangup);

 private:
  asio::posix::stream_descriptor poller_;  ///< Readable when the socket has hung up.
};

}  // namespace talosmq::kafka
