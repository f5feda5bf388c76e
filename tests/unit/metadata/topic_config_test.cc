#include "metadata/topic_config.h"

#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talosmq::metadata {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string Refusal(const ConfigMap& configs, int32_t replicas = 1) {
  const auto parsed = ParseTopicConfig(configs, replicas);
  EXPECT_EQ(ReasonOf(parsed.status()), Reason::kInvalidConfig);
  return std::string(parsed.status().message());
}

TEST(TopicConfigTest, UnknownKeyIsRefusedWithTheKnownOnes) {
  const std::string refusal = Refusal({{"segment.byte", "1"}});
  EXPECT_THAT(refusal, HasSubstr("segment.byte"));
  for (const TopicConfigEntry& known : ListTopicConfig({}, 1)) {
    EXPECT_THAT(refusal, HasSubstr(known.key));
  }
}

TEST(TopicConfigTest, WhatIsNotBuiltIsRefusedByName) {
  EXPECT_THAT(Refusal({{"compression.type", "zstd"}}), HasSubstr("as their producers sent them"));
}

TEST(TopicConfigTest, CleanupIsByAgeByKeyOrByBoth) {
  for (const auto& [policy, deletes, compacts] :
       {std::tuple("delete", true, false), std::tuple("compact", false, true),
        std::tuple("compact,delete", true, true), std::tuple("delete,compact", true, true)}) {
    const auto parsed = ParseTopicConfig({{"cleanup.policy", policy}}, 1);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->deletes, deletes) << policy;
    EXPECT_EQ(parsed->compacts, compacts) << policy;
  }
  for (const char* wrong : {"", "none", "compact,compact", "Compact"}) {
    EXPECT_THAT(Refusal({{"cleanup.policy", wrong}}), HasSubstr("'compact,delete'"));
  }
  EXPECT_THAT(Refusal({{"min.compaction.lag.ms", "5"}, {"max.compaction.lag.ms", "4"}}),
              HasSubstr("max.compaction.lag.ms"));
}

TEST(TopicConfigTest, RetentionIsAWeekUnlessSetAndMinusOneIsForEver) {
  const auto defaults = ParseTopicConfig({}, 1);
  EXPECT_EQ(defaults->retention_age_max, absl::Hours(7 * 24));
  EXPECT_EQ(defaults->retention_bytes_max, std::nullopt);
  const auto set = ParseTopicConfig({{"retention.ms", "-1"}, {"retention.bytes", "0"}}, 1);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->retention_age_max, std::nullopt);
  EXPECT_EQ(set->retention_bytes_max, 0);
  const auto entries = ListTopicConfig({{"retention.bytes", "-1"}}, 1);
  const auto bytes = std::ranges::find(entries, "retention.bytes", &TopicConfigEntry::key);
  ASSERT_NE(bytes, entries.end());
  EXPECT_EQ(bytes->value, "-1");
}

TEST(TopicConfigTest, ReplicatedDurabilityNeedsReplicas) {
  EXPECT_THAT(Refusal({{"durability", "replicated"}}, 1), HasSubstr("with one replica"));
  EXPECT_THAT(Refusal({{"durability", "none"}}), HasSubstr("'fsync'"));
  EXPECT_TRUE(ParseTopicConfig({{"durability", "fsync"}}, 1).ok());
}

TEST(TopicConfigTest, ValuesOutOfRangeAreRefusedNamingKeyRangeAndValue) {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"segment.bytes", "1048575"},
      {"segment.bytes", "1073741825"},
      {"segment.bytes", "1e6"},
      {"segment.bytes", ""},
      {"segment.bytes", "99999999999999999999"},
      {"min.cleanable.dirty.ratio", "1.1"},
      {"min.cleanable.dirty.ratio", "-0.1"},
      {"min.cleanable.dirty.ratio", "nan"},
      {"max.compaction.lag.ms", "0"},
      {"delete.retention.ms", "-1"},
      {"retention.bytes", "-2"},
      {"retention.bytes", "9223372036854775808"},
      {"retention.ms", "0"},
      {"retention.ms", "-2"},
      {"segment.ms", "0"},
      {"segment.ms", "-1"},
      {"max.message.bytes", "20971521"},
      {"max.message.bytes", "0"},
      {"max.record.bytes", "10485761"},
      {"max.record.bytes", "0"},
      {"min.insync.replicas", "0"},
      {"min.insync.replicas", "x"},
      {"message.timestamp.type", "createtime"},
      {"message.timestamp.after.max.ms", "-1"},
  };
  for (const auto& [key, value] : refused) {
    const std::string refusal = Refusal({{key, value}});
    EXPECT_THAT(refusal, HasSubstr(key));
    EXPECT_THAT(refusal, HasSubstr("found '" + value + "'"));
  }
}

TEST(TopicConfigTest, SegmentMustHoldTheLargestBatch) {
  EXPECT_THAT(Refusal({{"segment.bytes", "1048576"}}), HasSubstr("at least max.message.bytes"));
  EXPECT_TRUE(
      ParseTopicConfig({{"segment.bytes", "1048576"}, {"max.message.bytes", "1048576"}}, 1).ok());
}

TEST(TopicConfigTest, LabelsAreFreeWithinBounds) {
  EXPECT_TRUE(ParseTopicConfig({{"label.owner", "\xe5\xb0\x8f\xe7\xb1\xb3"}}, 1).ok());
  Refusal({{"label.", "x"}});
  Refusal({{"label.x", "\xff\xfe"}});
  Refusal({{"label.\xff", "x"}});
  Refusal({{"label.a=b", "x"}});
  Refusal({{"label." + std::string(kLabelKeyBytesMax + 1, 'k'), "x"}});
  Refusal({{"label.x", std::string(kLabelValueBytesMax + 1, 'v')}});
  EXPECT_TRUE(ParseTopicConfig({{"label." + std::string(kLabelKeyBytesMax, 'k'),
                                 std::string(kLabelValueBytesMax, 'v')}},
                               1)
                  .ok());
  ConfigMap labels;
  for (size_t i = 0; i < kLabelsMax; ++i) labels["label." + std::to_string(i)] = "";
  EXPECT_TRUE(ParseTopicConfig(labels, 1).ok());
  labels["label.more"] = "";
  Refusal(labels);
  ConfigMap many;
  for (int i = 0; i < 60; ++i) many["label." + std::to_string(i)] = std::string(600, 'v');
  EXPECT_THAT(Refusal(many), HasSubstr("bytes of all keys and values"));
}

TEST(TopicConfigTest, DefaultsAreThoseOfTheTable) {
  const TopicConfig config = ParseTopicConfig({}, 3).value();
  EXPECT_EQ(config.segment_bytes, 268435456);
  EXPECT_EQ(config.segment_age_max, absl::Hours(168));
  EXPECT_EQ(config.max_message_bytes, 20971520);
  EXPECT_EQ(config.max_record_bytes, 10485760);
  EXPECT_EQ(config.min_insync_replicas, 2);
  EXPECT_EQ(config.timestamp_type, TimestampType::kCreateTime);
  EXPECT_EQ(config.timestamp_after_max, absl::Hours(1));
  EXPECT_EQ(config.durability, TopicDurability::kFsync);
}

TEST(TopicConfigTest, InSyncMinimumIsBoundedByTheReplicas) {
  EXPECT_EQ(ParseTopicConfig({{"min.insync.replicas", "3"}}, 1)->min_insync_replicas, 1);
  EXPECT_EQ(ParseTopicConfig({{"min.insync.replicas", "2"}}, 3)->min_insync_replicas, 2);
  EXPECT_EQ(ParseTopicConfig({}, 5)->min_insync_replicas, 3);
}

TEST(TopicConfigTest, SetValuesAreObeyed) {
  const TopicConfig config = ParseTopicConfig({{"segment.bytes", "33554432"},
                                               {"segment.ms", "60000"},
                                               {"max.message.bytes", "1048576"},
                                               {"max.record.bytes", "1000"},
                                               {"message.timestamp.type", "LogAppendTime"},
                                               {"message.timestamp.after.max.ms", "0"},
                                               {"compression.type", "producer"}},
                                              1)
                                 .value();
  EXPECT_EQ(config.segment_bytes, 33554432);
  EXPECT_EQ(config.segment_age_max, absl::Minutes(1));
  EXPECT_EQ(config.max_message_bytes, 1048576);
  EXPECT_EQ(config.max_record_bytes, 1000);
  EXPECT_EQ(config.timestamp_type, TimestampType::kLogAppendTime);
  EXPECT_EQ(config.timestamp_after_max, absl::ZeroDuration());
}

TEST(TopicConfigTest, ListHasEveryKeyWithTheValueInForce) {
  const auto entries = ListTopicConfig({{"segment.ms", "60000"}, {"label.a", "1"}}, 3);
  EXPECT_THAT(entries, SizeIs(17));
  EXPECT_TRUE(std::is_sorted(entries.begin(), entries.end(),
                             [](const auto& a, const auto& b) { return a.key < b.key; }));
  for (const TopicConfigEntry& entry : entries) {
    EXPECT_EQ(entry.is_default, entry.key != "segment.ms" && entry.key != "label.a") << entry.key;
    if (entry.key == "segment.ms") {
      EXPECT_EQ(entry.value, "60000");
    }
    if (entry.key == "min.insync.replicas") {
      EXPECT_EQ(entry.value, "2");
    }
  }
}

TEST(TopicConfigTest, ListedValuesCanBeSet) {
  ConfigMap configs;
  for (const TopicConfigEntry& entry : ListTopicConfig({}, 1)) configs[entry.key] = entry.value;
  EXPECT_TRUE(ParseTopicConfig(configs, 1).ok());
}

}  // namespace
}  // namespace talosmq::metadata
