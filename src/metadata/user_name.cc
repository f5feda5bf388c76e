#include "metadata/user_name.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>

namespace talosmq::metadata {

absl::Status CheckUserName(std::string_view name) {
  const bool is_sound = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '@';
  });
  if (is_sound && !name.empty() && name.size() <= kUserNameBytesMax) return absl::OkStatus();
  return MakeError(
      Reason::kInvalidArgument,
      base::StrCat("user name '", base::Printable(name, kUserNameBytesMax), "': expected 1 to ",
                   kUserNameBytesMax, " letters, digits, '.', '_', '-' and '@'"));
}

}  // namespace talosmq::metadata
