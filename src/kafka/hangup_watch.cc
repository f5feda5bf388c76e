#include "kafka/hangup_watch.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

namespace talosmq::kafka {

HangupWatch::HangupWatch(asio::ip::tcp::socket& socket, base::Task on_hangup)
    : poller_(socket.get_executor()) {
  // Asio waits for bytes or the end alike, and there are bytes already.
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) return;
  asio::error_code failed;
  poller_.assign(poller, failed);
  if (failed) {
    close(poller);
    return;
  }
  epoll_event event{.events = EPOLLRDHUP, .data = {}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, socket.native_handle(), &event) != 0) return;
  poller_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [on_hangup = std::move(on_hangup)](const asio::error_code& error) mutable {
                       if (!error) on_hangup();
                     });
}

}  // namespace talosmq::kafka
