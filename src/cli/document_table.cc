#include "cli/document_table.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace talosmq::cli {
namespace {

constexpr std::string_view kGap = "  ";

struct Cell {
  std::string text;
  bool is_number = false;
};
using Line = std::vector<Cell>;

bool IsTable(const Document& value) {
  return value.is_array() && !value.empty() && value.front().is_object();
}

Cell MakeCell(const Document& value) {
  if (value.is_null()) return {.text = "-", .is_number = false};
  if (value.is_string()) return {.text = value.get<std::string>(), .is_number = false};
  if (value.is_array()) {
    std::string joined;
    for (const Document& item : value) joined += (joined.empty() ? "" : ",") + MakeCell(item).text;
    return {.text = joined.empty() ? "-" : joined, .is_number = false};
  }
  return {.text = value.dump(-1, ' ', false, Document::error_handler_t::replace),
          .is_number = value.is_number()};
}

/// Fields of `object` as one level: {"latency_ms": {"p50": 1}} gives "latency_ms.p50".
std::vector<std::pair<std::string, const Document*>> Flatten(const Document& object) {
  std::vector<std::pair<std::string, const Document*>> fields;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object()) {
      fields.emplace_back(key, &value);
      continue;
    }
    for (const auto& [inner_key, inner] : Flatten(value)) {
      fields.emplace_back(key + "." + inner_key, inner);
    }
  }
  return fields;
}

/// Pads every cell to its column's width; numbers to the right, no blanks at the end of a line.
std::string Align(const std::vector<Line>& lines) {
  std::vector<size_t> widths;
  for (const Line& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].text.size());
  }
  std::string out;
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string blanks(widths[i] - line[i].text.size(), ' ');
      if (i > 0) out += kGap;
      out += line[i].is_number ? blanks + line[i].text : line[i].text + blanks;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

std::string RenderRows(const Document& rows) {
  Line head;
  for (const auto& [key, value] : Flatten(rows.front())) {
    head.push_back({.text = key, .is_number = value->is_number()});
  }
  std::vector<Line> lines = {head};
  for (const Document& row : rows) {
    Line line;
    for (const auto& [key, value] : Flatten(row)) line.push_back(MakeCell(*value));
    lines.push_back(std::move(line));
  }
  return Align(lines);
}

std::string RenderFields(const Document& object) {
  std::vector<Line> lines;
  std::string tables;
  for (const auto& [key, value] : Flatten(object)) {
    if (IsTable(*value)) {
      tables += "\n" + key + ":\n" + RenderRows(*value);
    } else {
      // A column of mixed kinds reads best with everything to the left.
      lines.push_back(
          {{.text = key, .is_number = false}, {.text = MakeCell(*value).text, .is_number = false}});
    }
  }
  return Align(lines) + tables;
}

}  // namespace

std::string RenderTable(const Document& document) {
  if (document.is_object()) return RenderFields(document);
  if (IsTable(document)) return RenderRows(document);
  if (document.is_array()) return "";
  return MakeCell(document).text + "\n";
}

}  // namespace talosmq::cli
