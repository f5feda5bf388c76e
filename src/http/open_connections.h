#pragma once

#include "base/mutex.h"
#include "http/socket_stream.h"

#include <list>

namespace talosmq::http {

/// The connections that have a thread. Thread-safe. Borrows the streams between Enter and Leave.
class OpenConnections {
 public:
  void Enter(SocketStream& stream);
  /// Before the socket is closed.
  void Leave(SocketStream& stream);

  /// Ends the oldest connection that waits for its client, so that its thread gets free for another
  /// one. Nothing when all are at work.
  void EndOldestWaiting();
  /// Takes no more requests, now and later; answers under way are still sent.
  void StopReading();

 private:
  struct Entry {
    SocketStream* stream;
    bool is_ended;
  };

  base::Mutex mutex_;
  bool is_reading_over_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  ///< The oldest first.
};

}  // namespace talosmq::http
