#include "cli/key_value.h"

#include "base/status.h"
#include "base/text.h"

namespace talosmq::cli {

absl::StatusOr<KeyValue> ParseKeyValue(std::string_view text) {
  const size_t split = text.find('=');
  if (split == std::string_view::npos || split == 0) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("'", text, "' is not of the form key=value"));
  }
  return KeyValue{.key = std::string(text.substr(0, split)),
                  .value = std::string(text.substr(split + 1))};
}

}  // namespace talosmq::cli
