#include "cli/offset_range.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/time_text.h"

#include <charconv>
#include <string>
#include <type_traits>

namespace talosmq::cli {
namespace {

absl::Status NotARange(std::string_view text, std::string_view why) {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", text, "' is no place in a log: ", why,
                                "; write start, end, N, -N (the last N) or @TIME, or two of "
                                "them with '..' between"));
}

/// A whole non-negative number and nothing else.
std::optional<int64_t> ParseNumber(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || text.front() == '-') return std::nullopt;
  return number;
}

absl::StatusOr<LogPlace> ParsePlace(std::string_view text, std::string_view place, absl::Time now) {
  if (place == "start") return AtStart{};
  if (place == "end") return AtEnd{};
  if (place.starts_with('@')) {
    TALOSMQ_ASSIGN_OR_RETURN(const absl::Time time, ParseTime(place.substr(1), now));
    return time;
  }
  if (place.starts_with('-')) {
    const std::optional<int64_t> count = ParseNumber(place.substr(1));
    if (count.has_value() && *count > 0) return BeforeEnd{.records = *count};
    return NotARange(text, "-N needs a number above 0 (a time ago is @-1h)");
  }
  const std::optional<int64_t> offset = ParseNumber(place);
  if (offset.has_value()) return Offset(*offset);
  return NotARange(text, base::StrCat("'", place, "' is not an offset"));
}

/// Whether nothing can lie between the two, whatever the log holds.
struct IsEmptyRange {
  bool operator()(const auto& from, const auto& to) const {
    using From = std::decay_t<decltype(from)>;
    using To = std::decay_t<decltype(to)>;
    if constexpr (std::is_same_v<To, AtStart>) {
      return true;
    } else if constexpr (std::is_same_v<From, AtEnd>) {
      return std::is_same_v<To, AtEnd> || std::is_same_v<To, BeforeEnd>;
    } else if constexpr (!std::is_same_v<From, To> || std::is_same_v<From, AtStart>) {
      return false;
    } else if constexpr (std::is_same_v<From, BeforeEnd>) {
      return to.records >= from.records;
    } else {
      return to <= from;
    }
  }
};

}  // namespace

absl::StatusOr<OffsetRange> ParseOffsetRange(std::string_view text, absl::Time now) {
  const size_t dots = text.find("..");
  const std::string_view from = text.substr(0, dots);
  const std::string_view to = dots == std::string_view::npos ? "" : text.substr(dots + 2);
  if (from.empty() && to.empty()) return NotARange(text, "it names no place");
  OffsetRange range;
  if (!from.empty()) {
    TALOSMQ_ASSIGN_OR_RETURN(range.from, ParsePlace(text, from, now));
  }
  if (to.empty()) return range;
  TALOSMQ_ASSIGN_OR_RETURN(range.to, ParsePlace(text, to, now));
  if (std::visit(IsEmptyRange(), range.from, *range.to)) {
    return NotARange(text, "it can hold nothing (the second place is the first one left out)");
  }
  return range;
}

absl::StatusOr<Position> ParsePosition(std::string_view text, absl::Time now) {
  TALOSMQ_ASSIGN_OR_RETURN(const OffsetRange range, ParseOffsetRange(text, now));
  const auto position = std::visit(
      []<typename Place>(const Place& place) -> std::optional<Position> {
        if constexpr (std::is_same_v<Place, BeforeEnd>) {
          return std::nullopt;
        } else {
          return place;
        }
      },
      range.from);
  if (position.has_value() && text.find("..") == std::string_view::npos) return *position;
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", text, "' is no single place; write start, end, N or @TIME"));
}

}  // namespace talosmq::cli
