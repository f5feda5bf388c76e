#include "cli/record_format.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/escapes.h"

#include "absl/strings/str_cat.h"

#include <algorithm>

namespace talosmq::cli {
namespace {

void AppendHeaders(const std::vector<Header>& headers, std::string& out) {
  bool is_first = true;
  for (const Header& header : headers) {
    if (!is_first) out += ',';
    is_first = false;
    out += header.key;
    out += '=';
    out += header.value.value_or(std::string_view());
  }
}

}  // namespace

absl::StatusOr<RecordFormat> RecordFormat::Parse(std::string_view text) {
  RecordFormat format;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t percent = std::min(text.find('%', begin), text.size());
    TALOSMQ_ASSIGN_OR_RETURN(const std::string literal,
                             Unescape(text.substr(begin, percent - begin)));
    format.AddLiteral(literal);
    if (percent == text.size()) break;
    TALOSMQ_RETURN_IF_ERROR(format.AddDirective(text, percent));
    begin = percent + 2;
  }
  return format;
}

RecordFormat RecordFormat::ValueLines() {
  RecordFormat format;
  format.pieces_.push_back({.field = Field::kValue, .literal = ""});
  format.AddLiteral("\n");
  return format;
}

void RecordFormat::Append(std::string_view topic, PartitionId partition,
                          const ConsumedRecord& record, std::string& out) const {
  for (const Piece& piece : pieces_) {
    switch (piece.field) {
      case Field::kLiteral:
        out += piece.literal;
        break;
      case Field::kTopic:
        out += topic;
        break;
      case Field::kPartition:
        absl::StrAppend(&out, partition.value());
        break;
      case Field::kOffset:
        absl::StrAppend(&out, record.offset.value());
        break;
      case Field::kKey:
        out += record.key.value_or(std::string_view());
        break;
      case Field::kValue:
        out += record.value.value_or(std::string_view());
        break;
      case Field::kTimestamp:
        absl::StrAppend(&out, absl::ToUnixMillis(record.timestamp));
        break;
      case Field::kHeaders:
        AppendHeaders(record.headers, out);
        break;
    }
  }
}

void RecordFormat::AddLiteral(std::string_view text) {
  if (text.empty()) return;
  if (pieces_.empty() || pieces_.back().field != Field::kLiteral) pieces_.emplace_back();
  pieces_.back().literal += text;
}

absl::Status RecordFormat::AddDirective(std::string_view format, size_t position) {
  struct Directive {
    char letter;
    Field field;
  };
  constexpr Directive kDirectives[] = {
      {'t', Field::kTopic}, {'p', Field::kPartition}, {'o', Field::kOffset}, {'k', Field::kKey},
      {'v', Field::kValue}, {'T', Field::kTimestamp}, {'h', Field::kHeaders}};
  const std::string_view sequence = format.substr(position, 2);
  if (sequence == "%%") {
    AddLiteral("%");
    return absl::OkStatus();
  }
  for (const Directive& directive : kDirectives) {
    if (sequence.size() == 2 && sequence[1] == directive.letter) {
      pieces_.push_back({.field = directive.field, .literal = ""});
      return absl::OkStatus();
    }
  }
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", sequence, "' in '", format,
                                "' stands for nothing; there are %t topic, %p partition, %o "
                                "offset, %k key, %v value, %T timestamp, %h headers and %%"));
}

}  // namespace talosmq::cli
