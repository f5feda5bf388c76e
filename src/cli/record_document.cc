#include "cli/record_document.h"

#include "base/text.h"

#include "absl/strings/escaping.h"

#include <optional>
#include <string>

namespace talosmq::cli {
namespace {

/// By the library's own rules, so that what passes is also what it prints without replacing.
bool IsUtf8(std::string_view bytes) {
  try {
    return !Document(std::string(bytes)).dump().empty();
  } catch (const Document::type_error&) {
    return false;
  }
}

void AddBytes(Document& document, const std::string& name,
              const std::optional<std::string_view>& bytes) {
  if (!bytes.has_value()) {
    document[name] = nullptr;
  } else if (IsUtf8(*bytes)) {
    document[name] = std::string(*bytes);
  } else {
    document[name + "_base64"] = absl::Base64Escape(base::ToAbsl(*bytes));
  }
}

}  // namespace

Document DescribeRecord(std::string_view topic, PartitionId partition,
                        const ConsumedRecord& record) {
  Document document{{"topic", topic},
                    {"partition", partition.value()},
                    {"offset", record.offset.value()},
                    {"timestamp_ms", absl::ToUnixMillis(record.timestamp)}};
  AddBytes(document, "key", record.key);
  AddBytes(document, "value", record.value);
  Document headers = Document::array();
  for (const Header& header : record.headers) {
    Document pair = Document::object();
    AddBytes(pair, "key", header.key);
    AddBytes(pair, "value", header.value);
    headers.push_back(std::move(pair));
  }
  document["headers"] = std::move(headers);
  return document;
}

}  // namespace talosmq::cli
