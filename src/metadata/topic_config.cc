#include "metadata/topic_config.h"

#include "base/text.h"
#include "base/utf8.h"
#include "talosmq/error.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

#include <algorithm>
#include <array>
#include <limits>

namespace talosmq::metadata {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
/// Of all keys and values together: a topic's record has to fit a value of the metadata store.
constexpr size_t kConfigBytesMax = size_t{32} << 10;

absl::Status Refuse(std::string_view key, std::string_view expected, std::string_view found) {
  return MakeError(Reason::kInvalidConfig,
                   base::StrCat("topic configuration ", base::Printable(key, 100), ": expected ",
                                expected, ", found '", base::Printable(found, 100), "'"));
}

absl::Status SetNumber(std::string_view key, std::string_view text, int64_t low, int64_t high,
                       int64_t& into) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(text), &number) || number < low || number > high) {
    return Refuse(key, base::StrCat("a whole number from ", low, " to ", high), text);
  }
  into = number;
  return absl::OkStatus();
}

absl::Status SetMilliseconds(std::string_view key, std::string_view text, int64_t low, int64_t high,
                             absl::Duration& into) {
  int64_t number = 0;
  if (absl::Status status = SetNumber(key, text, low, high, number); !status.ok()) return status;
  into = absl::Milliseconds(number);
  return absl::OkStatus();
}

/// One key: how its text changes the configuration, and the text of the value in force.
struct Key {
  std::string_view name;
  absl::Status (*set)(std::string_view key, std::string_view text, int32_t replicas,
                      TopicConfig& config);
  std::string (*get)(const TopicConfig& config);
};

absl::Status SetCompression(std::string_view key, std::string_view text, int32_t /*replicas*/,
                            TopicConfig& /*config*/) {
  if (text == "producer") return absl::OkStatus();
  return Refuse(key, "'producer', since batches are stored as their producers sent them", text);
}
std::string GetCompression(const TopicConfig& /*config*/) { return "producer"; }

absl::Status SetDurability(std::string_view key, std::string_view text, int32_t replicas,
                           TopicConfig& config) {
  if (text == "fsync") {
    config.durability = TopicDurability::kFsync;
    return absl::OkStatus();
  }
  if (text != "replicated") return Refuse(key, "'fsync' or 'replicated'", text);
  return replicas == 1
             ? Refuse(key, "'fsync', since with one replica only a flush survives a power cut",
                      text)
             : Refuse(key, "'fsync', since acknowledging from memory is not built yet", text);
}
std::string GetDurability(const TopicConfig& config) {
  return config.durability == TopicDurability::kFsync ? "fsync" : "replicated";
}

absl::Status SetBatchBytes(std::string_view key, std::string_view text, int32_t /*replicas*/,
                           TopicConfig& config) {
  return SetNumber(key, text, 1024, 20 * kMiB, config.max_message_bytes);
}
std::string GetBatchBytes(const TopicConfig& config) {
  return base::StrCat(config.max_message_bytes);
}

absl::Status SetRecordBytes(std::string_view key, std::string_view text, int32_t /*replicas*/,
                            TopicConfig& config) {
  return SetNumber(key, text, 1, 10 * kMiB, config.max_record_bytes);
}
std::string GetRecordBytes(const TopicConfig& config) {
  return base::StrCat(config.max_record_bytes);
}

constexpr int64_t kHundredYearsMs = int64_t{100} * 366 * 24 * 3600 * 1000;
/// Kafka's way to say that there is no limit.
constexpr std::string_view kNoLimit = "-1";

absl::Status SetCleanupPolicy(std::string_view key, std::string_view text, int32_t /*replicas*/,
                              TopicConfig& config) {
  const bool is_both = text == "compact,delete" || text == "delete,compact";
  if (!is_both && text != "compact" && text != "delete") {
    return Refuse(key, "'delete', 'compact' or 'compact,delete'", text);
  }
  config.deletes = is_both || text == "delete";
  config.compacts = is_both || text == "compact";
  return absl::OkStatus();
}
std::string GetCleanupPolicy(const TopicConfig& config) {
  if (!config.compacts) return "delete";
  return config.deletes ? "compact,delete" : "compact";
}

absl::Status SetDirtyRatio(std::string_view key, std::string_view text, int32_t /*replicas*/,
                           TopicConfig& config) {
  double ratio = -1;
  if (!absl::SimpleAtod(base::ToAbsl(text), &ratio) || !(ratio >= 0 && ratio <= 1)) {
    return Refuse(key, "a number from 0 to 1", text);
  }
  config.cleanable_dirty_ratio_min = ratio;
  return absl::OkStatus();
}
std::string GetDirtyRatio(const TopicConfig& config) {
  return base::StrCat(config.cleanable_dirty_ratio_min);
}

absl::Status SetCompactionLagMin(std::string_view key, std::string_view text, int32_t /*replicas*/,
                                 TopicConfig& config) {
  return SetMilliseconds(key, text, 0, kHundredYearsMs, config.compaction_lag_min);
}
std::string GetCompactionLagMin(const TopicConfig& config) {
  return base::StrCat(absl::ToInt64Milliseconds(config.compaction_lag_min));
}

/// Kafka's way to say that there is no limit.
constexpr std::string_view kNoLagMax = "9223372036854775807";

absl::Status SetCompactionLagMax(std::string_view key, std::string_view text, int32_t /*replicas*/,
                                 TopicConfig& config) {
  config.compaction_lag_max = absl::InfiniteDuration();
  if (text == kNoLagMax) return absl::OkStatus();
  return SetMilliseconds(key, text, 1, kHundredYearsMs, config.compaction_lag_max);
}
std::string GetCompactionLagMax(const TopicConfig& config) {
  if (config.compaction_lag_max == absl::InfiniteDuration()) return std::string(kNoLagMax);
  return base::StrCat(absl::ToInt64Milliseconds(config.compaction_lag_max));
}

absl::Status SetTombstoneAge(std::string_view key, std::string_view text, int32_t /*replicas*/,
                             TopicConfig& config) {
  return SetMilliseconds(key, text, 0, kHundredYearsMs, config.tombstone_age_min);
}
std::string GetTombstoneAge(const TopicConfig& config) {
  return base::StrCat(absl::ToInt64Milliseconds(config.tombstone_age_min));
}

absl::Status SetRetentionAge(std::string_view key, std::string_view text, int32_t /*replicas*/,
                             TopicConfig& config) {
  config.retention_age_max.reset();
  if (text == kNoLimit) return absl::OkStatus();
  return SetMilliseconds(key, text, 1, kHundredYearsMs, config.retention_age_max.emplace());
}
std::string GetRetentionAge(const TopicConfig& config) {
  if (!config.retention_age_max) return std::string(kNoLimit);
  return base::StrCat(absl::ToInt64Milliseconds(*config.retention_age_max));
}

absl::Status SetRetentionBytes(std::string_view key, std::string_view text, int32_t /*replicas*/,
                               TopicConfig& config) {
  config.retention_bytes_max.reset();
  if (text == kNoLimit) return absl::OkStatus();
  return SetNumber(key, text, 0, std::numeric_limits<int64_t>::max(),
                   config.retention_bytes_max.emplace());
}
std::string GetRetentionBytes(const TopicConfig& config) {
  if (!config.retention_bytes_max) return std::string(kNoLimit);
  return base::StrCat(*config.retention_bytes_max);
}

absl::Status SetTimestampAfter(std::string_view key, std::string_view text, int32_t /*replicas*/,
                               TopicConfig& config) {
  return SetMilliseconds(key, text, 0, kHundredYearsMs, config.timestamp_after_max);
}
std::string GetTimestampAfter(const TopicConfig& config) {
  return base::StrCat(absl::ToInt64Milliseconds(config.timestamp_after_max));
}

absl::Status SetTimestampType(std::string_view key, std::string_view text, int32_t /*replicas*/,
                              TopicConfig& config) {
  if (text != "CreateTime" && text != "LogAppendTime") {
    return Refuse(key, "'CreateTime' or 'LogAppendTime'", text);
  }
  config.timestamp_type =
      text == "CreateTime" ? TimestampType::kCreateTime : TimestampType::kLogAppendTime;
  return absl::OkStatus();
}
std::string GetTimestampType(const TopicConfig& config) {
  return config.timestamp_type == TimestampType::kCreateTime ? "CreateTime" : "LogAppendTime";
}

absl::Status SetInSyncMin(std::string_view key, std::string_view text, int32_t replicas,
                          TopicConfig& config) {
  constexpr int64_t kReplicasMax = 1000;
  int64_t number = 0;
  if (absl::Status status = SetNumber(key, text, 1, kReplicasMax, number); !status.ok()) {
    return status;
  }
  config.min_insync_replicas = std::min(static_cast<int32_t>(number), replicas);
  return absl::OkStatus();
}
std::string GetInSyncMin(const TopicConfig& config) {
  return base::StrCat(config.min_insync_replicas);
}

absl::Status SetSegmentBytes(std::string_view key, std::string_view text, int32_t /*replicas*/,
                             TopicConfig& config) {
  return SetNumber(key, text, kMiB, 1024 * kMiB, config.segment_bytes);
}
std::string GetSegmentBytes(const TopicConfig& config) {
  return base::StrCat(config.segment_bytes);
}

absl::Status SetSegmentAge(std::string_view key, std::string_view text, int32_t /*replicas*/,
                           TopicConfig& config) {
  constexpr int64_t kYearMs = int64_t{366} * 24 * 3600 * 1000;
  return SetMilliseconds(key, text, 1000, kYearMs, config.segment_age_max);
}
std::string GetSegmentAge(const TopicConfig& config) {
  return base::StrCat(absl::ToInt64Milliseconds(config.segment_age_max));
}

constexpr std::array kKeys = {
    Key{"cleanup.policy", SetCleanupPolicy, GetCleanupPolicy},
    Key{"compression.type", SetCompression, GetCompression},
    Key{"delete.retention.ms", SetTombstoneAge, GetTombstoneAge},
    Key{"durability", SetDurability, GetDurability},
    Key{"max.compaction.lag.ms", SetCompactionLagMax, GetCompactionLagMax},
    Key{"max.message.bytes", SetBatchBytes, GetBatchBytes},
    Key{"max.record.bytes", SetRecordBytes, GetRecordBytes},
    Key{"message.timestamp.after.max.ms", SetTimestampAfter, GetTimestampAfter},
    Key{"message.timestamp.type", SetTimestampType, GetTimestampType},
    Key{"min.cleanable.dirty.ratio", SetDirtyRatio, GetDirtyRatio},
    Key{"min.compaction.lag.ms", SetCompactionLagMin, GetCompactionLagMin},
    Key{"min.insync.replicas", SetInSyncMin, GetInSyncMin},
    Key{"retention.bytes", SetRetentionBytes, GetRetentionBytes},
    Key{"retention.ms", SetRetentionAge, GetRetentionAge},
    Key{"segment.bytes", SetSegmentBytes, GetSegmentBytes},
    Key{"segment.ms", SetSegmentAge, GetSegmentAge},
};

const Key* FindKey(std::string_view name) {
  const auto* found =
      std::find_if(kKeys.begin(), kKeys.end(), [name](const Key& key) { return key.name == name; });
  return found == kKeys.end() ? nullptr : found;
}

bool IsLabel(std::string_view key) {
  return key.starts_with(kLabelPrefix) && key.size() > kLabelPrefix.size();
}

absl::Status CheckLabelKey(std::string_view key) {
  const std::string_view name = key.substr(kLabelPrefix.size());
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
  if (is_plain && name.size() <= kLabelKeyBytesMax) return absl::OkStatus();
  return MakeError(
      Reason::kInvalidConfig,
      base::StrCat("topic configuration ", base::Printable(key, 100), ": expected 1 to ",
                   kLabelKeyBytesMax, " letters, digits, '.', '_' and '-' behind 'label.'"));
}

absl::Status Apply(std::string_view key, std::string_view value, int32_t replicas,
                   TopicConfig& config) {
  if (absl::Status status = CheckTopicConfigKey(key); !status.ok()) return status;
  if (!IsLabel(key)) return FindKey(key)->set(key, value, replicas, config);
  if (value.size() > kLabelValueBytesMax || !base::IsUtf8(value)) {
    return Refuse(key, base::StrCat("at most ", kLabelValueBytesMax, " bytes of UTF-8"), value);
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const ConfigMap& configs) {
  size_t bytes = 0;
  size_t labels = 0;
  for (const auto& [key, value] : configs) {
    bytes += key.size() + value.size();
    if (IsLabel(key)) ++labels;
  }
  if (labels > kLabelsMax) {
    return MakeError(Reason::kInvalidConfig, base::StrCat("topic configuration: expected at most ",
                                                          kLabelsMax, " labels, found ", labels));
  }
  if (bytes <= kConfigBytesMax) return absl::OkStatus();
  return MakeError(Reason::kInvalidConfig,
                   base::StrCat("topic configuration: expected at most ", kConfigBytesMax,
                                " bytes of all keys and values, found ", bytes));
}

}  // namespace

std::map<std::string, std::string> LabelsOf(const ConfigMap& configs) {
  std::map<std::string, std::string> labels;
  for (const auto& [key, value] : configs) {
    if (IsLabel(key)) labels.emplace(key.substr(kLabelPrefix.size()), value);
  }
  return labels;
}

absl::Status CheckTopicConfigKey(std::string_view key) {
  if (IsLabel(key)) return CheckLabelKey(key);
  if (FindKey(key) != nullptr) return absl::OkStatus();
  const std::string subject = base::StrCat("topic configuration ", base::Printable(key, 100), ": ");
  std::string known;
  for (const Key& each : kKeys) known += base::StrCat(each.name, ", ");
  return MakeError(Reason::kInvalidConfig,
                   base::StrCat(subject, "no such key; expected one of ", known, "label.*"));
}

absl::StatusOr<TopicConfig> ParseTopicConfig(const ConfigMap& configs, int32_t replicas) {
  if (absl::Status status = CheckSizes(configs); !status.ok()) return status;
  TopicConfig config;
  config.min_insync_replicas = replicas / 2 + 1;
  for (const auto& [key, value] : configs) {
    if (absl::Status status = Apply(key, value, replicas, config); !status.ok()) return status;
  }
  if (config.compaction_lag_min > config.compaction_lag_max) {
    return Refuse(
        "min.compaction.lag.ms",
        base::StrCat("at most max.compaction.lag.ms, which is ", GetCompactionLagMax(config)),
        GetCompactionLagMin(config));
  }
  if (config.segment_bytes < config.max_message_bytes) {
    return Refuse("segment.bytes",
                  base::StrCat("at least max.message.bytes, which is ", config.max_message_bytes),
                  base::StrCat(config.segment_bytes));
  }
  return config;
}

std::vector<TopicConfigEntry> ListTopicConfig(const ConfigMap& configs, int32_t replicas) {
  const TopicConfig config = ParseTopicConfig(configs, replicas).value();
  const TopicConfig defaults = ParseTopicConfig({}, replicas).value();
  std::vector<TopicConfigEntry> entries;
  for (const Key& key : kKeys) {
    entries.push_back({.key = std::string(key.name),
                       .value = key.get(config),
                       .default_value = key.get(defaults),
                       .is_default = !configs.contains(std::string(key.name))});
  }
  for (const auto& [key, value] : configs) {
    if (IsLabel(key)) entries.push_back({.key = key, .value = value, .default_value = {}});
  }
  std::sort(entries.begin(), entries.end(),
            [](const TopicConfigEntry& a, const TopicConfigEntry& b) { return a.key < b.key; });
  return entries;
}

}  // namespace talosmq::metadata
