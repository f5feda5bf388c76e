#pragma once

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

}  // namespace talosmq::server
