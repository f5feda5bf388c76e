#pragma once

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

#include <string>
#include <string_view>

namespace talosmq::cli {

/// What a command has to tell, before it takes a form: objects keep the order of their keys. Keys
/// are snake_case with the unit last.
using Document = nlohmann::ordered_json;

enum class OutputForm { kTable, kJson, kYaml };

/// "table", "json", "yaml".
absl::StatusOr<OutputForm> ParseOutputForm(std::string_view name);

/// A whole answer, with a newline at its end. As a table an object is a line for each field, an
/// array of objects a table with a column for each key of the first; what lies deeper follows in
/// tables of its own.
std::string RenderDocument(const Document& document, OutputForm form);

/// One object of a stream: a line of JSON, or a YAML document that begins with "---". Tables have
/// no stream form; a command that streams prints text of its own then.
std::string RenderStreamed(const Document& document, OutputForm form);

}  // namespace talosmq::cli
