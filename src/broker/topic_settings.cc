#include "broker/topic_settings.h"

#include "base/log.h"
#include "metadata/topic_config.h"

#include "absl/time/time.h"

#include <utility>

namespace talosmq::broker {
namespace {

record::TimestampType TypeOf(metadata::TimestampType type) {
  switch (type) {
    case metadata::TimestampType::kCreateTime:
      break;
    case metadata::TimestampType::kLogAppendTime:
      return record::TimestampType::kLogAppendTime;
  }
  return record::TimestampType::kCreateTime;
}

}  // namespace

std::shared_ptr<const TopicSettings> MakeTopicSettings(
    std::shared_ptr<const metadata::TopicImage> topic) {
  const size_t replicas = topic->partitions.empty() ? 1 : topic->partitions.front().replicas.size();
  auto parsed = metadata::ParseTopicConfig(topic->configs, static_cast<int32_t>(replicas));
  if (!parsed.ok()) {
    // What was stored was checked; only another version of the program can have stored this.
    base::LogError("broker", "topic ", topic->name,
                   ": defaults are in force: ", base::FromAbsl(parsed.status().message()));
  }
  const metadata::TopicConfig config = parsed.ok() ? *std::move(parsed) : metadata::TopicConfig{};
  auto settings = std::make_shared<TopicSettings>();
  settings->topic = std::move(topic);
  settings->validation.batch_bytes_max = config.max_message_bytes;
  settings->validation.record_bytes_max = config.max_record_bytes;
  settings->validation.timestamp_type = TypeOf(config.timestamp_type);
  settings->validation.timestamp_after_max_ms =
      absl::ToInt64Milliseconds(config.timestamp_after_max);
  settings->log.segment_bytes = config.segment_bytes;
  settings->log.segment_age_max = config.segment_age_max;
  if (config.deletes) {
    settings->log.retention = {.age_max = config.retention_age_max,
                               .bytes_max = config.retention_bytes_max};
  }
  if (config.compacts) {
    settings->validation.keys_required = true;
    settings->log.compaction = {.dirty_ratio_min = config.cleanable_dirty_ratio_min,
                                .lag_min = config.compaction_lag_min,
                                .lag_max = config.compaction_lag_max,
                                .tombstone_age_min = config.tombstone_age_min};
  }
  return settings;
}

}  // namespace talosmq::broker
