#include "cli/offset_range.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/time_text.h"

#include <charconv>
#include <string>

namespace talosmq::cli {
namespace {

absl::Status NotARange(std::string_view text, std::string_view why) {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", text, "' is no place in a log: ", why,
                                "; write start, end, N, N..N, -N (the last N), @TIME or "
                                "@TIME..@TIME"));
}

/// A whole non-negative number and nothing else.
std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || text.front() == '-') return std::nullopt;
  return number;
}

absl::StatusOr<OffsetRange> ParseTimes(std::string_view text, std::string_view from,
                                       std::optional<std::string_view> to, absl::Time now) {
  OffsetRange range;
  TALOSMQ_ASSIGN_OR_RETURN(const absl::Time begin, ParseTime(from.substr(1), now));
  range.from = begin;
  if (!to.has_value()) return range;
  if (!to->starts_with('@')) return NotARange(text, "both sides of '..' must be times");
  TALOSMQ_ASSIGN_OR_RETURN(const absl::Time end, ParseTime(to->substr(1), now));
  if (end <= begin) return NotARange(text, "it ends before it begins");
  range.to = end;
  return range;
}

absl::StatusOr<OffsetRange> ParseOffsets(std::string_view text, std::string_view from,
                                         std::optional<std::string_view> to) {
  OffsetRange range;
  const std::optional<int64_t> begin = ParseNumber(from);
  if (!begin.has_value()) return NotARange(text, base::StrCat("'", from, "' is not an offset"));
  range.from = Offset(*begin);
  if (!to.has_value()) return range;
  const std::optional<int64_t> end = ParseNumber(*to);
  if (!end.has_value()) return NotARange(text, base::StrCat("'", *to, "' is not an offset"));
  if (*end <= *begin) {
    return NotARange(text, "it holds no offset (the second number is the first one left out)");
  }
  range.to = Offset(*end);
  return range;
}

}  // namespace

absl::StatusOr<OffsetRange> ParseOffsetRange(std::string_view text, absl::Time now) {
  if (text == "start") return OffsetRange{.from = AtStart{}, .to = {}};
  if (text == "end") return OffsetRange{.from = AtEnd{}, .to = {}};
  const size_t dots = text.find("..");
  const std::string_view from = text.substr(0, dots);
  std::optional<std::string_view> to;
  if (dots != std::string_view::npos) to = text.substr(dots + 2);
  if (from.starts_with('@')) return ParseTimes(text, from, to, now);
  if (from.starts_with('-')) {
    const std::optional<int64_t> count = ParseNumber(from.substr(1));
    if (to.has_value()) return NotARange(text, "-N takes no '..'");
    if (!count.has_value() || *count == 0) {
      return NotARange(text, "-N needs a number above 0 (a time ago is @-1h)");
    }
    return OffsetRange{.from = BeforeEnd{.records = *count}, .to = {}};
  }
  return ParseOffsets(text, from, to);
}

}  // namespace talosmq::cli
