#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <string>
#include <string_view>
#include <vector>

namespace talosmq::server {

/// HOST:PORT; an IPv6 host stands in brackets. Port 0 is the kernel's choice.
struct ListenAddress {
  std::string host;
  int port = 0;

  std::string ToString() const;
  /// Only this machine can reach it: localhost, 127.0.0.0/8 or ::1.
  bool is_loopback() const;
};

/// kInvalidArgument, with what was expected.
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text);

struct NamedAddress {
  std::string name;  ///< Empty when there is one only, without a name.
  ListenAddress address;
};
/// `HOST:PORT` or `NAME=HOST:PORT,...` as kafka.listen has it.
absl::StatusOr<std::vector<NamedAddress>> ParseNamedAddresses(std::string_view text);

/// Whether `selection`, which is "all", "none" or "NAME,...", takes in the listener of that name.
bool SelectsListener(std::string_view selection, std::string_view name);
/// kInvalidArgument unless it is "all", "none" or names that are among `listeners`.
absl::Status CheckSelection(std::string_view selection, const std::vector<NamedAddress>& listeners);

}  // namespace talosmq::server
