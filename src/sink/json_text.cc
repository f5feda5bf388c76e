#include "sink/json_text.h"

#include <cstddef>
#include <cstdint>

namespace talosmq::sink {
namespace {

bool NeedsEscape(char c) { return static_cast<uint8_t>(c) < 0x20 || c == '"' || c == '\\'; }

void AppendEscaped(char c, std::string& out) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  out.push_back('\\');
  switch (c) {
    case '"':
    case '\\':
      return out.push_back(c);
    case '\b':
      return out.push_back('b');
    case '\f':
      return out.push_back('f');
    case '\n':
      return out.push_back('n');
    case '\r':
      return out.push_back('r');
    case '\t':
      return out.push_back('t');
    default:
      out.append("u00");
      out.push_back(kHexDigits[static_cast<uint8_t>(c) >> 4]);
      out.push_back(kHexDigits[static_cast<uint8_t>(c) & 0x0f]);
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string& out) {
  out.push_back('"');
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!NeedsEscape(text[i])) continue;
    out.append(text.substr(copied, i - copied));
    AppendEscaped(text[i], out);
    copied = i + 1;
  }
  out.append(text.substr(copied));
  out.push_back('"');
}

}  // namespace talosmq::sink
