#include "http/open_connections.h"

#include <sys/socket.h>

namespace talosmq::http {

void OpenConnections::Enter(SocketStream& stream) {
  const base::MutexLock lock(mutex_);
  entries_.push_back({&stream, false});
  if (is_reading_over_) shutdown(stream.socket(), SHUT_RD);
}

void OpenConnections::Leave(SocketStream& stream) {
  const base::MutexLock lock(mutex_);
  entries_.remove_if([&stream](const Entry& entry) { return entry.stream == &stream; });
}

void OpenConnections::EndOldestWaiting() {
  const base::MutexLock lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.is_ended || !entry.stream->is_waiting()) continue;
    shutdown(entry.stream->socket(), SHUT_RDWR);
    entry.is_ended = true;
    return;
  }
}

void OpenConnections::StopReading() {
  const base::MutexLock lock(mutex_);
  is_reading_over_ = true;
  for (const Entry& entry : entries_) shutdown(entry.stream->socket(), SHUT_RD);
}

}  // namespace talosmq::http
