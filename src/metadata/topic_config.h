#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::metadata {

enum class TimestampType { kCreateTime, kLogAppendTime };

/// When an acknowledged record is on disk: before the acknowledgement, or some time after it while
/// the other replicas hold it in memory.
enum class TopicDurability { kFsync, kReplicated };

/// The values in force for one topic. Immutable once parsed.
struct TopicConfig {
  int64_t segment_bytes = int64_t{256} << 20;
  absl::Duration segment_age_max = absl::Hours(7 * 24);
  /// What cleanup.policy says: records go by age and size, by key, or by both.
  bool deletes = true;
  bool compacts = false;
  double cleanable_dirty_ratio_min = 0.5;
  absl::Duration compaction_lag_min = absl::ZeroDuration();
  absl::Duration compaction_lag_max = absl::InfiniteDuration();
  absl::Duration tombstone_age_min = absl::Hours(24);
  /// How much is kept; nothing: no limit.
  std::optional<absl::Duration> retention_age_max = absl::Hours(7 * 24);
  std::optional<int64_t> retention_bytes_max;
  int64_t max_message_bytes = int64_t{20} << 20;  ///< Of a batch, Kafka's meaning of the key.
  int64_t max_record_bytes = int64_t{10} << 20;
  /// min(configured, replicas); half the replicas + 1 when not configured.
  int32_t min_insync_replicas = 1;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  /// How far a record's time may lie ahead of the broker's clock.
  absl::Duration timestamp_after_max = absl::Hours(1);
  TopicDurability durability = TopicDurability::kFsync;
};

/// What was set of a topic's configuration, as it is stored.
using ConfigMap = std::map<std::string, std::string>;

/// What a change of settings does to keys that it does not name.
enum class UnnamedKeys { kStay, kGetDefaults };

/// Keys that begin so are free labels: they mean nothing here, are listed and filtered by. The rest
/// of the key is 1 to kLabelKeyBytesMax letters, digits, '.', '_' and '-'; the value UTF-8 of at
/// most kLabelValueBytesMax bytes. At most kLabelsMax to a topic.
inline constexpr std::string_view kLabelPrefix = "label.";
inline constexpr size_t kLabelKeyBytesMax = 128;
inline constexpr size_t kLabelValueBytesMax = 1024;
inline constexpr size_t kLabelsMax = 64;

/// The labels among `configs`, without the prefix.
std::map<std::string, std::string> LabelsOf(const ConfigMap& configs);

/// Every key is obeyed or refused: kInvalidConfig names the key, its range and the value found,
/// or why the key is refused.
absl::StatusOr<TopicConfig> ParseTopicConfig(const ConfigMap& configs, int32_t replicas);

/// OK when `key` may be set or unset at all, whatever the value.
absl::Status CheckTopicConfigKey(std::string_view key);

struct TopicConfigEntry {
  std::string key;
  std::string value;
  std::string default_value;  ///< Of a label: none.
  bool is_default = false;
};

/// All keys with the value in force, in key order; labels only where set. `configs` must parse.
std::vector<TopicConfigEntry> ListTopicConfig(const ConfigMap& configs, int32_t replicas);

}  // namespace talosmq::metadata
