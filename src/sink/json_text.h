#pragma once

#include <string>
#include <string_view>

namespace talosmq::sink {

/// True for well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
bool IsUtf8(std::string_view bytes);

/// Appends `text`, which must be UTF-8, as a JSON string with its quotes (RFC 8259 section 7).
void AppendJsonString(std::string_view text, std::string& out);

}  // namespace talosmq::sink
