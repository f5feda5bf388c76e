#include "client/server_list.h"

#include "base/text.h"
#include "talosmq/error.h"

#include "absl/strings/numbers.h"

namespace talosmq::client {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool IsHostAndPort(std::string_view entry) {
  const size_t colon = entry.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = entry.substr(0, colon);
  if (host.find(':') != std::string_view::npos && (host.front() != '[' || host.back() != ']')) {
    return false;
  }
  int port = 0;
  return absl::SimpleAtoi(base::ToAbsl(entry.substr(colon + 1)), &port) && port >= 1 &&
         port <= 65535;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseServerList(std::string_view text) {
  std::vector<std::string> servers;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view entry = Trim(text.substr(0, comma));
    if (!IsHostAndPort(entry)) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("server: expected HOST:PORT[,HOST:PORT...] with ports 1 to ",
                                    "65535, found \"", base::Printable(entry, 80), "\""));
    }
    servers.emplace_back(entry);
    if (comma == std::string_view::npos) return servers;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace talosmq::client
