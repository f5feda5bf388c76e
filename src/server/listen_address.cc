#include "server/listen_address.h"

#include "base/loopback.h"
#include "base/status.h"
#include "base/text.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

#include <algorithm>
#include <set>
#include <vector>

namespace talosmq::server {
namespace {

constexpr int kPortMax = 65535;
constexpr std::string_view kAll = "all";
constexpr std::string_view kNone = "none";

absl::Status Expected(std::string_view what, std::string_view text) {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("expected ", what, ", found \"", base::Printable(text, 80), "\""));
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool IsIpv6Character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.';
}

bool IsHost(std::string_view host, bool (*is_character)(char)) {
  return !host.empty() && std::all_of(host.begin(), host.end(), is_character);
}

}  // namespace

std::string ListenAddress::ToString() const {
  return host.find(':') == std::string::npos ? base::StrCat(host, ":", port)
                                             : base::StrCat("[", host, "]:", port);
}

bool ListenAddress::is_loopback() const { return base::IsLoopbackHost(host); }

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text) {
  constexpr std::string_view kForm = "HOST:PORT with a port from 0 to 65535";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Expected(kForm, text);
  std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  if (!IsHost(host, is_bracketed ? IsIpv6Character : IsHostCharacter)) return Expected(kForm, text);
  ListenAddress address{.host = std::string(host)};
  const std::string_view port = text.substr(colon + 1);
  if (port.empty() || port.find_first_not_of("0123456789") != std::string_view::npos ||
      !absl::SimpleAtoi(base::ToAbsl(port), &address.port) || address.port > kPortMax) {
    return Expected(kForm, text);
  }
  return address;
}

absl::StatusOr<std::vector<NamedAddress>> ParseNamedAddresses(std::string_view text) {
  std::vector<NamedAddress> addresses;
  if (text.find('=') == std::string_view::npos) {
    TALOSMQ_ASSIGN_OR_RETURN(addresses.emplace_back().address, ParseListenAddress(text));
    return addresses;
  }
  std::set<std::string_view> names;
  for (const absl::string_view piece : absl::StrSplit(base::ToAbsl(text), ',')) {
    const std::string_view entry = base::FromAbsl(piece);
    const size_t equals = entry.find('=');
    const std::string_view name = entry.substr(0, equals);
    if (equals == std::string_view::npos || !IsHost(name, IsHostCharacter)) {
      return Expected("NAME=HOST:PORT", entry);
    }
    if (!names.insert(name).second) return Expected("each name once", text);
    NamedAddress& named =
        addresses.emplace_back(NamedAddress{.name = std::string(name), .address = {}});
    TALOSMQ_ASSIGN_OR_RETURN(named.address, ParseListenAddress(entry.substr(equals + 1)));
  }
  return addresses;
}

bool SelectsListener(std::string_view selection, std::string_view name) {
  if (selection == kAll || selection == kNone) return selection == kAll;
  const std::vector<std::string> names = absl::StrSplit(base::ToAbsl(selection), ',');
  return std::ranges::find(names, name) != names.end();
}

absl::Status CheckSelection(std::string_view selection,
                            const std::vector<NamedAddress>& listeners) {
  if (selection == kAll || selection == kNone) return absl::OkStatus();
  for (const absl::string_view name : absl::StrSplit(base::ToAbsl(selection), ',')) {
    const bool is_known =
        !name.empty() &&
        std::ranges::find(listeners, base::FromAbsl(name), &NamedAddress::name) != listeners.end();
    if (is_known) continue;
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("expected all, none or names of kafka.listen, found \"",
                                  base::Printable(selection, 80), "\""));
  }
  return absl::OkStatus();
}

}  // namespace talosmq::server
