#include "kafka/config_catalogue.h"

#include <algorithm>
#include <array>

namespace talosmq::kafka {
namespace {

constexpr std::array kTopicKeys = {
    TopicKey{"cleanup.policy", ConfigType::kList, "log.cleanup.policy",
             "What is removed: 'delete' what is old or too much, 'compact' all but the newest "
             "record of each key."},
    TopicKey{"compression.type", ConfigType::kString, "compression.type",
             "'producer': batches stay as they came."},
    TopicKey{"delete.retention.ms", ConfigType::kLong, "log.cleaner.delete.retention.ms",
             "How long a tombstone stays at least after it was compacted first."},
    TopicKey{"durability", ConfigType::kString, "",
             "'fsync': a batch is on the disk before it is acknowledged."},
    TopicKey{"max.compaction.lag.ms", ConfigType::kLong, "log.cleaner.max.compaction.lag.ms",
             "After so long a record is compacted, however little there is to do."},
    TopicKey{"max.message.bytes", ConfigType::kInt, "message.max.bytes",
             "The largest batch that is taken, as it comes over the wire."},
    TopicKey{"max.record.bytes", ConfigType::kInt, "", "The largest record that is taken."},
    TopicKey{"message.timestamp.after.max.ms", ConfigType::kLong,
             "log.message.timestamp.after.max.ms",
             "How far the time of a record may lie ahead of the broker's clock."},
    TopicKey{"message.timestamp.type", ConfigType::kString, "log.message.timestamp.type",
             "Whose time a record bears: 'CreateTime' its producer's, 'LogAppendTime' the "
             "broker's."},
    TopicKey{"min.cleanable.dirty.ratio", ConfigType::kDouble, "log.cleaner.min.cleanable.ratio",
             "The part of the log that has to be new before it is compacted again."},
    TopicKey{"min.compaction.lag.ms", ConfigType::kLong, "log.cleaner.min.compaction.lag.ms",
             "How long a record stays at least before it is compacted."},
    TopicKey{"min.insync.replicas", ConfigType::kInt, "min.insync.replicas",
             "How many replicas have to have a batch before it is acknowledged to acks=all."},
    TopicKey{"retention.bytes", ConfigType::kLong, "log.retention.bytes",
             "How many bytes of a partition are kept; -1: no limit."},
    TopicKey{"retention.ms", ConfigType::kLong, "log.retention.ms",
             "How long records are kept; -1: no limit."},
    TopicKey{"segment.bytes", ConfigType::kInt, "log.segment.bytes", "The size of a log file."},
    TopicKey{"segment.ms", ConfigType::kLong, "log.roll.ms",
             "How long a log file is appended to at most."},
};

}  // namespace

TopicKey FindTopicKey(std::string_view name) {
  const auto* const found = std::ranges::find(kTopicKeys, name, &TopicKey::name);
  if (found != kTopicKeys.end()) return *found;
  return {.name = name,
          .type = ConfigType::kString,
          .broker_name = {},
          .documentation = "A label: it means nothing to the broker."};
}

}  // namespace talosmq::kafka
