#include "sink/format_json.h"

#include "base/bytes.h"
#include "base/utf8.h"
#include "sink/json_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include <optional>

namespace talosmq::sink {
namespace {

std::string_view TimestampTypeName(record::TimestampType type) {
  switch (type) {
    case record::TimestampType::kCreateTime:
      return "create_time";
    case record::TimestampType::kLogAppendTime:
      return "log_append_time";
  }
  return "create_time";
}

/// "name":null, "name":"text" or "name_base64":"...".
void AppendField(std::string_view name, std::optional<std::string_view> value, std::string& out) {
  out.push_back('"');
  out.append(name);
  if (!value.has_value()) {
    out.append("\":null");
  } else if (base::IsUtf8(*value)) {
    out.append("\":");
    AppendJsonString(*value, out);
  } else {
    out.append("_base64\":\"");
    out.append(absl::Base64Escape(base::ToAbsl(*value)));
    out.push_back('"');
  }
}

void AppendHeaders(const record::RecordView& record, std::string& out) {
  out.push_back('[');
  if (record.headers_count > 0) {
    for (const record::HeaderView& header : record::HeadersOf(record)) {
      if (out.back() == '}') out.push_back(',');
      out.push_back('{');
      AppendField("key", header.key, out);
      out.push_back(',');
      AppendField("value", header.value, out);
      out.push_back('}');
    }
  }
  out.push_back(']');
}

}  // namespace

void FormatJson::Append(const SourceRecord& source, std::string& out) const {
  out.append("{\"topic\":");
  AppendJsonString(source.topic, out);
  absl::StrAppend(&out, ",\"partition\":", source.partition.value(),
                  ",\"offset\":", source.record.offset.value(),
                  ",\"timestamp_ms\":", source.record.timestamp_ms, ",\"timestamp_type\":\"");
  out.append(TimestampTypeName(source.timestamp_type));
  out.append("\",");
  AppendField("key", source.record.key, out);
  out.push_back(',');
  AppendField("value", source.record.value, out);
  out.append(",\"headers\":");
  AppendHeaders(source.record, out);
  out.append("}\n");
}

}  // namespace talosmq::sink
