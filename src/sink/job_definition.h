#pragma once

#include "talosmq/consumer.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace talosmq::sink {

enum class FormatKind : uint8_t { kJson = 1, kRaw = 2 };

/// When the open files of a partition are published. Whichever bound is reached first decides; the
/// end of an hour by the wall clock (UTC) always does.
struct RollLimits {
  uint64_t bytes = uint64_t{128} << 20;             ///< Of one open file.
  int64_t records = 1'000'000;                      ///< In one open file.
  absl::Duration age = absl::Milliseconds(60'000);  ///< Since the first record, come more or not.

  friend bool operator==(const RollLimits&, const RollLimits&) = default;
};

inline constexpr int64_t kRollBytesMin = int64_t{4} << 10;
inline constexpr int64_t kRollBytesMax = int64_t{16} << 30;
inline constexpr int64_t kRollRecordsMin = 1;
inline constexpr int64_t kRollRecordsMax = 1'000'000'000;
inline constexpr int64_t kRollMsMin = 100;
inline constexpr int64_t kRollMsMax = 86'400'000;

inline constexpr size_t kJobNameBytesMax = 249;
inline constexpr size_t kTargetBytesMax = 1024;

/// What a job dumps, and where to. Fixed for the life of the job.
struct JobDefinition {
  std::string name;
  std::string topic;
  std::string target;  ///< "file:///DIR" with DIR as NormalizeTarget writes it.
  FormatKind format = FormatKind::kJson;
  RollLimits roll;
  OnCorrupt on_corrupt = OnCorrupt::kFail;

  friend bool operator==(const JobDefinition&, const JobDefinition&) = default;
};

/// 1 to 249 of letters, digits, '.', '_' and '-', not "." or ".."; else kInvalidDumpJob.
absl::Status CheckJobName(std::string_view name);

/// "roll.bytes", "roll.records" and "roll.ms" as decimal numbers, "on_corrupt" as "fail" or "skip";
/// what is not named stays as it is. kInvalidDumpJob names an unknown key, or key, bounds and
/// value.
absl::Status ApplyConfigs(const std::map<std::string, std::string>& configs,
                          JobDefinition& definition);
/// All keys with the value in force; ApplyConfigs reads them back.
std::map<std::string, std::string> ConfigsOf(const JobDefinition& definition);

/// The target without doubled and closing slashes, so that equal folders have equal targets.
/// kInvalidDumpJob for anything but "file://" and an absolute path of plain characters ('%', '?'
/// and '#' mean something else in a URL and are refused) without "." and ".." in it.
absl::StatusOr<std::string> NormalizeTarget(std::string_view target);
/// The folder that a normalized target names.
std::string TargetFolder(const JobDefinition& definition);

}  // namespace talosmq::sink
