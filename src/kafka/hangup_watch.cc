#include "kafka/hangup_watch.h"

#include <sys/epoll.h>

#include <utility>

namespace talosmq::kafka {

HangupWatch::HangupWatch(asio::ip::tcp::socket& socket, base::Task on_hangup)
    : poller_(socket.get_executor()) {
  // Asio asks the kernel for bytes to read, not for the end that is behind them.
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) return;
  asio::error_code failed;
  poller_.assign(poller, failed);
  epoll_event event{.events = EPOLLRDHUP, .data = {}};
  if (failed || epoll_ctl(poller, EPOLL_CTL_ADD, socket.native_handle(), &event) != 0) return;
  poller_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [on_hangup = std::move(on_hangup)](const asio::error_code& error) mutable {
                       if (!error) on_hangup();
                     });
}

}  // namespace talosmq::kafka
