#include "base/text.h"

#include <algorithm>

namespace talosmq::base {

std::string Printable(std::string_view bytes, size_t length_max) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const char c : bytes.substr(0, std::min(bytes.size(), length_max))) {
    if (c >= ' ' && c <= '~' && c != '\\') {
      text.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text.append("\\x");
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 0x0f]);
  }
  if (bytes.size() > length_max) text.append("...");
  return text;
}

}  // namespace talosmq::base
