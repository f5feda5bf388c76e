#pragma once

#include "absl/status/statusor.h"

#include <string>
#include <string_view>
#include <vector>

namespace talosmq::client {

/// Takes "HOST:PORT[,HOST:PORT...]" apart. IPv6 hosts stand in brackets. kInvalidArgument names
/// the entry that is not HOST:PORT with a port of 1 to 65535; spaces around entries are ignored.
absl::StatusOr<std::vector<std::string>> ParseServerList(std::string_view text);

}  // namespace talosmq::client
