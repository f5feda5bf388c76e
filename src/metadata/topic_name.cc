#include "metadata/topic_name.h"

#include "base/text.h"
#include "talosmq/error.h"

#include "absl/strings/ascii.h"

#include <algorithm>

namespace talosmq::metadata {
namespace {

bool IsAllowed(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

}  // namespace

absl::Status CheckTopicName(std::string_view name) {
  if (name.empty() || name.size() > kTopicNameBytesMax) {
    return MakeError(Reason::kInvalidTopicName,
                     base::StrCat("topic name: expected 1 to ", kTopicNameBytesMax,
                                  " characters, found ", name.size()));
  }
  if (name == "." || name == "..") {
    return MakeError(Reason::kInvalidTopicName,
                     base::StrCat("topic name: '", name, "' is not allowed"));
  }
  const auto wrong = std::find_if_not(name.begin(), name.end(), IsAllowed);
  if (wrong != name.end()) {
    return MakeError(Reason::kInvalidTopicName,
                     base::StrCat("topic name '", base::Printable(name, kTopicNameBytesMax),
                                  "': expected letters, digits, '.', '_' and '-', found '",
                                  base::Printable(std::string_view(&*wrong, 1), 1), "'"));
  }
  return absl::OkStatus();
}

bool IsInternalName(std::string_view name) { return name.starts_with("__"); }

}  // namespace talosmq::metadata
