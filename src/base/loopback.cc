#include "base/loopback.h"

#include "base/bytes.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

#include <algorithm>
#include <string>
#include <vector>

namespace talosmq::base {

bool IsLoopbackHost(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  // A name such as "127.example.com" is none, so all four numbers are looked at.
  const std::vector<std::string> numbers = absl::StrSplit(ToAbsl(host), '.');
  if (numbers.size() != 4 || numbers[0] != "127") return false;
  return std::ranges::all_of(numbers, [](const std::string& number) {
    int value = 0;
    return absl::SimpleAtoi(number, &value) && value >= 0 && value <= 255;
  });
}

}  // namespace talosmq::base
