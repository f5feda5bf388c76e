#include "cli/document.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/document_table.h"

#include "yaml-cpp/yaml.h"

namespace talosmq::cli {
namespace {

constexpr int kJsonIndent = 2;

/// Invalid UTF-8 (a path, a server's words) becomes U+FFFD instead of an exception.
std::string Json(const Document& document, int indent) {
  return document.dump(indent, ' ', false, Document::error_handler_t::replace);
}

void EmitYaml(const Document& document, YAML::Emitter& out) {
  if (document.is_object()) {
    if (document.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, value] : document.items()) {
      out << YAML::Key << key << YAML::Value;
      EmitYaml(value, out);
    }
    out << YAML::EndMap;
  } else if (document.is_array()) {
    if (document.empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const Document& item : document) EmitYaml(item, out);
    out << YAML::EndSeq;
  } else if (document.is_string()) {
    // Quoted always, so that "8" or "no" stays a string for whoever reads it.
    out << YAML::DoubleQuoted << document.get_ref<const std::string&>();
  } else if (document.is_null()) {
    out << YAML::Null;
  } else if (document.is_boolean()) {
    out << document.get<bool>();
  } else {
    // Numbers are written alike in JSON and YAML.
    out << Json(document, -1);
  }
}

std::string Yaml(const Document& document) {
  YAML::Emitter out;
  EmitYaml(document, out);
  TALOSMQ_CHECK(out.good()) << out.GetLastError();
  return out.c_str();
}

}  // namespace

absl::StatusOr<OutputForm> ParseOutputForm(std::string_view name) {
  if (name == "table") return OutputForm::kTable;
  if (name == "json") return OutputForm::kJson;
  if (name == "yaml") return OutputForm::kYaml;
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", name, "' is no output form; there are table, json and yaml"));
}

std::string RenderDocument(const Document& document, OutputForm form) {
  switch (form) {
    case OutputForm::kTable:
      return RenderTable(document);
    case OutputForm::kJson:
      return Json(document, kJsonIndent) + "\n";
    case OutputForm::kYaml:
      return Yaml(document) + "\n";
  }
  TALOSMQ_CHECK(false) << "no such form";
  return "";
}

std::string RenderStreamed(const Document& document, OutputForm form) {
  TALOSMQ_CHECK(form != OutputForm::kTable);
  if (form == OutputForm::kJson) return Json(document, -1) + "\n";
  return "---\n" + Yaml(document) + "\n";
}

}  // namespace talosmq::cli
