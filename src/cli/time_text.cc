#include "cli/time_text.h"

#include "base/status.h"
#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace talosmq::cli {
namespace {

constexpr size_t kSecondsDigitsMax = 11;
constexpr size_t kMillisecondsDigitsMax = 15;  // Beyond the year 30,000; keeps sums in range.
constexpr size_t kAgoDigitsMax = 9;

absl::Status NotATime(std::string_view text) {
  return MakeError(
      Reason::kInvalidArgument,
      base::StrCat("'", text,
                   "' is not a time: write RFC 3339 (2026-11-22T21:00:00Z), a day "
                   "(2026-11-22), epoch seconds or milliseconds, or a time ago (-1h)"));
}

bool IsNumber(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Callers bound the number of digits, so it always fits.
int64_t NumberOf(std::string_view digits) {
  int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

std::optional<absl::Duration> UnitOf(std::string_view name) {
  if (name == "ms") return absl::Milliseconds(1);
  if (name == "s") return absl::Seconds(1);
  if (name == "m") return absl::Minutes(1);
  if (name == "h") return absl::Hours(1);
  if (name == "d") return absl::Hours(24);
  return std::nullopt;
}

std::optional<absl::Duration> ParseAgo(std::string_view text) {
  const size_t unit_begin = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, unit_begin);
  const std::optional<absl::Duration> unit = UnitOf(text.substr(unit_begin));
  if (!unit.has_value() || digits.empty() || digits.size() > kAgoDigitsMax) return std::nullopt;
  return NumberOf(digits) * *unit;
}

std::optional<absl::Time> ParseEpoch(std::string_view digits) {
  if (digits.size() <= kSecondsDigitsMax) return absl::FromUnixSeconds(NumberOf(digits));
  if (digits.size() <= kMillisecondsDigitsMax) return absl::FromUnixMillis(NumberOf(digits));
  return std::nullopt;
}

/// A calendar date or date and time. absl::ParseTime alone would take "infinite-past" and
/// surrounding blanks as well.
std::optional<absl::Time> ParseCalendar(std::string_view text) {
  constexpr std::string_view kDayShape = "YYYY-MM-DD";
  if (text.size() < kDayShape.size() || !IsNumber(text.substr(0, 4)) || text.back() == ' ') {
    return std::nullopt;
  }
  const bool is_day = text.size() == kDayShape.size();
  const std::string_view layout = is_day ? "%Y-%m-%d" : "%Y-%m-%d%ET%H:%M:%E*S%Ez";
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(base::ToAbsl(layout), base::ToAbsl(text), &time, &error)) {
    return std::nullopt;
  }
  return time;
}

}  // namespace

absl::StatusOr<absl::Time> ParseTime(std::string_view text, absl::Time now) {
  std::optional<absl::Time> time;
  if (text.starts_with('-')) {
    if (const auto ago = ParseAgo(text.substr(1))) time = now - *ago;
  } else if (IsNumber(text)) {
    time = ParseEpoch(text);
  } else {
    time = ParseCalendar(text);
  }
  if (!time.has_value()) return NotATime(text);
  return *time;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

}  // namespace talosmq::cli
