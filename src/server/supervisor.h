#pragma once

#include "absl/status/status.h"

#include <string>
#include <string_view>
#include <utility>

namespace talosmq::server {

/// Who started this process and wants to hear how it goes: systemd, or whoever speaks its protocol
/// of sd_notify(3). The protocol is one datagram a message and promised to stay, so that libsystemd
/// and all that it loads are not needed.
///
/// Immutable, but that a message that cannot be delivered is logged.
class Supervisor {
 public:
  /// From $NOTIFY_SOCKET; without it there is nobody to tell.
  static Supervisor FromEnvironment();

  /// `address`: the path of a socket, "@NAME" for an abstract one, empty for nobody.
  explicit Supervisor(std::string address) : address_(std::move(address)) {}

  /// The server serves. `words` are what `systemctl status` shows; so for the other two.
  void TellReady(std::string_view words) const;
  /// The stop has begun; it takes as long as what is under way.
  void TellStopping(std::string_view words) const;
  /// Why the process is about to end with an error.
  void TellFailed(std::string_view words) const;

 private:
  void Tell(std::string_view state, std::string_view words) const;

  const std::string address_;
};

/// True if stdout is a stream of the journal ($JOURNAL_STREAM names its device and inode), which
/// notes the time of each line itself and reads its level from a prefix.
bool StdoutIsJournal();

}  // namespace talosmq::server
