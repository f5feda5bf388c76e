#pragma once

#include <string>
#include <string_view>

namespace talosmq::sink {

/// Appends `text`, which must be UTF-8, as a JSON string with its quotes (RFC 8259 section 7).
void AppendJsonString(std::string_view text, std::string& out);

}  // namespace talosmq::sink
