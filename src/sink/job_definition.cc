#include "sink/job_definition.h"

#include "base/status.h"
#include "base/text.h"

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include <charconv>
#include <vector>

namespace talosmq::sink {
namespace {

constexpr std::string_view kFileScheme = "file://";
constexpr size_t kQuotedBytesMax = 64;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

absl::Status InvalidTarget(std::string_view target, std::string_view found) {
  return MakeError(Reason::kInvalidDumpJob,
                   base::StrCat("dump target '", base::Printable(target, kQuotedBytesMax),
                                "': expected file:///DIR, found ", found));
}

absl::StatusOr<int64_t> ParseBounded(std::string_view key, std::string_view text, int64_t min,
                                     int64_t max) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (is_number && value >= min && value <= max) return value;
  return MakeError(
      Reason::kInvalidDumpJob,
      base::StrCat("dump setting ", key, ": expected a whole number from ", min, " to ", max,
                   ", found '", base::Printable(text, kQuotedBytesMax), "'"));
}

absl::StatusOr<OnCorrupt> ParseOnCorrupt(std::string_view key, std::string_view text) {
  if (text == "fail") return OnCorrupt::kFail;
  if (text == "skip") return OnCorrupt::kSkip;
  return MakeError(Reason::kInvalidDumpJob,
                   base::StrCat("dump setting ", key, ": expected fail or skip, found '",
                                base::Printable(text, kQuotedBytesMax), "'"));
}

}  // namespace

absl::Status CheckJobName(std::string_view name) {
  bool is_valid = !name.empty() && name.size() <= kJobNameBytesMax && name != "." && name != "..";
  for (const char c : name) is_valid = is_valid && IsNameCharacter(c);
  if (is_valid) return absl::OkStatus();
  return MakeError(Reason::kInvalidDumpJob,
                   base::StrCat("dump job name: expected 1 to ", kJobNameBytesMax,
                                " letters, digits, '.', '_' or '-', found '",
                                base::Printable(name, kQuotedBytesMax), "'"));
}

absl::Status ApplyConfigs(const std::map<std::string, std::string>& configs,
                          JobDefinition& definition) {
  RollLimits& roll = definition.roll;
  for (const auto& [key, text] : configs) {
    if (key == "roll.bytes") {
      TALOSMQ_ASSIGN_OR_RETURN(const int64_t bytes,
                               ParseBounded(key, text, kRollBytesMin, kRollBytesMax));
      roll.bytes = static_cast<uint64_t>(bytes);
    } else if (key == "roll.records") {
      TALOSMQ_ASSIGN_OR_RETURN(roll.records,
                               ParseBounded(key, text, kRollRecordsMin, kRollRecordsMax));
    } else if (key == "roll.ms") {
      TALOSMQ_ASSIGN_OR_RETURN(const int64_t age_ms,
                               ParseBounded(key, text, kRollMsMin, kRollMsMax));
      roll.age = absl::Milliseconds(age_ms);
    } else if (key == "on_corrupt") {
      TALOSMQ_ASSIGN_OR_RETURN(definition.on_corrupt, ParseOnCorrupt(key, text));
    } else {
      return MakeError(
          Reason::kInvalidDumpJob,
          base::StrCat("dump setting '", base::Printable(key, kQuotedBytesMax),
                       "' is unknown; expected roll.bytes, roll.records, roll.ms or on_corrupt"));
    }
  }
  return absl::OkStatus();
}

std::map<std::string, std::string> ConfigsOf(const JobDefinition& definition) {
  const RollLimits& roll = definition.roll;
  return {{"roll.bytes", absl::StrCat(roll.bytes)},
          {"roll.records", absl::StrCat(roll.records)},
          {"roll.ms", absl::StrCat(absl::ToInt64Milliseconds(roll.age))},
          {"on_corrupt", definition.on_corrupt == OnCorrupt::kSkip ? "skip" : "fail"}};
}

absl::StatusOr<std::string> NormalizeTarget(std::string_view target) {
  if (target.size() > kTargetBytesMax) {
    return InvalidTarget(target,
                         base::StrCat(target.size(), " bytes, more than ", kTargetBytesMax));
  }
  if (!target.starts_with(kFileScheme)) return InvalidTarget(target, "another scheme");
  const std::string_view path = target.substr(kFileScheme.size());
  if (!path.starts_with('/')) return InvalidTarget(target, "no absolute path");
  if (path.find_first_of("%?#") != std::string_view::npos) {
    return InvalidTarget(target, "one of the characters %?#");
  }
  for (const char c : path) {
    if (c >= 0 && c < ' ') return InvalidTarget(target, "a control character");
  }
  const std::vector<std::string> parts = absl::StrSplit(base::ToAbsl(path), '/', absl::SkipEmpty());
  for (const std::string& part : parts) {
    if (part == "." || part == "..") return InvalidTarget(target, "a relative path");
  }
  if (parts.empty()) return InvalidTarget(target, "no folder");
  return base::StrCat(kFileScheme, "/", absl::StrJoin(parts, "/"));
}

std::string TargetFolder(const JobDefinition& definition) {
  return definition.target.substr(kFileScheme.size());
}

}  // namespace talosmq::sink
