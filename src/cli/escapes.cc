#include "cli/escapes.h"

#include "base/status.h"
#include "base/text.h"

#include <optional>

namespace talosmq::cli {
namespace {

std::optional<char> EscapedCharacter(char letter) {
  if (letter == 'n') return '\n';
  if (letter == 't') return '\t';
  if (letter == '\\') return '\\';
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::string> Unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    const std::string_view sequence = text.substr(i, 2);
    const auto character =
        sequence.size() == 2 ? EscapedCharacter(sequence[1]) : std::optional<char>();
    if (!character.has_value()) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("'", sequence, "' in '", text,
                                    "' stands for nothing; there are \\n, \\t and \\\\"));
    }
    plain += *character;
    ++i;
  }
  return plain;
}

}  // namespace talosmq::cli
