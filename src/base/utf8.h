#pragma once

#include <string_view>

namespace talosmq::base {

/// True for well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
bool IsUtf8(std::string_view bytes);

}  // namespace talosmq::base
