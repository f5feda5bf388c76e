#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include <librdkafka/rdkafka.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq {

/// So long a test waits for what has to come.
inline constexpr absl::Duration kRdKafkaPatience = absl::Seconds(60);

using RdKafkaConfig = std::map<std::string, std::string>;

/// A client of librdkafka. What it refuses fails the test. Thread-compatible.
class RdKafka {
 public:
  RdKafka(rd_kafka_type_t type, const RdKafkaConfig& config) {
    std::array<char, 512> error{};
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, this);
    if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(conf, OnDelivered);
    if (type == RD_KAFKA_CONSUMER) rd_kafka_conf_set_rebalance_cb(conf, OnRebalance);
    for (const auto& [key, value] : config) {
      EXPECT_EQ(rd_kafka_conf_set(conf, key.c_str(), value.c_str(), error.data(), error.size()),
                RD_KAFKA_CONF_OK)
          << error.data();
    }
    handle_ = rd_kafka_new(type, conf, error.data(), error.size());
    EXPECT_NE(handle_, nullptr) << error.data();
    if (type == RD_KAFKA_CONSUMER) rd_kafka_poll_set_consumer(handle_);
  }
  RdKafka(const RdKafka&) = delete;
  RdKafka& operator=(const RdKafka&) = delete;
  virtual ~RdKafka() { rd_kafka_destroy(handle_); }

  rd_kafka_t* get() const { return handle_; }

 private:
  virtual void Delivered(const rd_kafka_message_t& /*message*/) {}
  virtual void Rebalanced(rd_kafka_resp_err_t /*error*/,
                          rd_kafka_topic_partition_list_t* /*partitions*/) {}
  static void OnDelivered(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
    static_cast<RdKafka*>(self)->Delivered(*message);
  }
  static void OnRebalance(rd_kafka_t*, rd_kafka_resp_err_t error,
                          rd_kafka_topic_partition_list_t* partitions, void* self) {
    static_cast<RdKafka*>(self)->Rebalanced(error, partitions);
  }

  rd_kafka_t* handle_;
};

struct RdKafkaRecord {
  int32_t partition = 0;
  int64_t offset = 0;
  std::string value;
  friend auto operator<=>(const RdKafkaRecord&, const RdKafkaRecord&) = default;
};

class RdKafkaProducer final : public RdKafka {
 public:
  explicit RdKafkaProducer(const RdKafkaConfig& config) : RdKafka(RD_KAFKA_PRODUCER, config) {}

  void Send(const std::string& topic, int32_t partition, std::string_view value,
            int64_t timestamp_ms = 0) {
    std::array<rd_kafka_vu_t, 5> told{};
    told[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    told[0].u.cstr = topic.c_str();
    told[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    told[1].u.i32 = partition;
    told[2].vtype = RD_KAFKA_VTYPE_VALUE;
    told[2].u.mem.ptr = const_cast<char*>(value.data());
    told[2].u.mem.size = value.size();
    told[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    told[3].u.i = RD_KAFKA_MSG_F_COPY;
    told[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    told[4].u.i64 = timestamp_ms;
    rd_kafka_error_t* const error = rd_kafka_produceva(get(), told.data(), told.size());
    ASSERT_EQ(error, nullptr) << rd_kafka_error_string(error);
  }
  /// Until all is answered.
  void Flush() {
    const auto timeout_ms = static_cast<int>(absl::ToInt64Milliseconds(kRdKafkaPatience));
    EXPECT_EQ(rd_kafka_flush(get(), timeout_ms), RD_KAFKA_RESP_ERR_NO_ERROR);
    EXPECT_EQ(failures_, std::vector<std::string>());
  }
  int64_t delivered() const { return delivered_; }

 private:
  void Delivered(const rd_kafka_message_t& message) override {
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) ++delivered_;
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      failures_.emplace_back(rd_kafka_err2str(message.err));
    }
  }

  int64_t delivered_ = 0;
  std::vector<std::string> failures_;
};

class RdKafkaConsumer final : public RdKafka {
 public:
  explicit RdKafkaConsumer(const RdKafkaConfig& config)
      : RdKafka(RD_KAFKA_CONSUMER, config),
        is_cooperative_(config.contains("partition.assignment.strategy") &&
                        config.at("partition.assignment.strategy") == "cooperative-sticky") {}
  ~RdKafkaConsumer() override { Close(); }

  void Close() {
    if (!std::exchange(is_closed_, true)) rd_kafka_consumer_close(get());
  }
  void Subscribe(const std::string& topic) {
    const List topics = OneOf(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_OFFSET_INVALID);
    EXPECT_EQ(rd_kafka_subscribe(get(), topics.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void Assign(const std::string& topic, int32_t partition, int64_t offset) {
    const List partitions = OneOf(topic, partition, offset);
    EXPECT_EQ(rd_kafka_assign(get(), partitions.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  /// The first record at or after that time.
  int64_t OffsetAt(const std::string& topic, int32_t partition, int64_t timestamp_ms) {
    const List asked = OneOf(topic, partition, timestamp_ms);
    const auto timeout_ms = static_cast<int>(absl::ToInt64Milliseconds(kRdKafkaPatience));
    EXPECT_EQ(rd_kafka_offsets_for_times(get(), asked.get(), timeout_ms),
              RD_KAFKA_RESP_ERR_NO_ERROR);
    EXPECT_EQ(asked->elems[0].err, RD_KAFKA_RESP_ERR_NO_ERROR);
    return asked->elems[0].offset;
  }
  /// What has come within a short while, if anything.
  void Poll() {
    constexpr int short_ms = 20;
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(get(), short_ms);
    if (message == nullptr) return;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      records_.push_back(
          {.partition = message->partition,
           .offset = message->offset,
           .value = std::string(static_cast<const char*>(message->payload), message->len)});
    } else {
      errors_.emplace_back(rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
  }
  /// Polls until so many records are there.
  void ReadUntil(size_t count) {
    const absl::Time deadline = absl::Now() + kRdKafkaPatience;
    while (records_.size() < count && absl::Now() < deadline) Poll();
    EXPECT_EQ(records_.size(), count);
    EXPECT_EQ(errors_, std::vector<std::string>());
  }
  void Commit() {
    EXPECT_EQ(rd_kafka_commit(get(), nullptr, /*async=*/0), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  const std::vector<RdKafkaRecord>& records() const { return records_; }
  const std::set<int32_t>& owned() const { return owned_; }

 private:
  using List = std::unique_ptr<rd_kafka_topic_partition_list_t,
                               decltype(&rd_kafka_topic_partition_list_destroy)>;

  static List OneOf(const std::string& topic, int32_t partition, int64_t offset) {
    List list(rd_kafka_topic_partition_list_new(1), rd_kafka_topic_partition_list_destroy);
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
    return list;
  }
  void Rebalanced(rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* partitions) override {
    const bool is_given = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    for (int i = 0; i < partitions->cnt; ++i) {
      is_given ? void(owned_.insert(partitions->elems[i].partition))
               : void(owned_.erase(partitions->elems[i].partition));
    }
    if (is_cooperative_) {
      rd_kafka_error_t* const failure = is_given ? rd_kafka_incremental_assign(get(), partitions)
                                                 : rd_kafka_incremental_unassign(get(), partitions);
      EXPECT_EQ(failure, nullptr) << rd_kafka_error_string(failure);
    } else {
      rd_kafka_assign(get(), is_given ? partitions : nullptr);
    }
  }

  const bool is_cooperative_;
  bool is_closed_ = false;
  std::set<int32_t> owned_;
  std::vector<RdKafkaRecord> records_;
  std::vector<std::string> errors_;
};

/// Administration, each call of which waits for its answer. Thread-compatible.
class RdKafkaAdmin final : public RdKafka {
 public:
  explicit RdKafkaAdmin(const RdKafkaConfig& config)
      : RdKafka(RD_KAFKA_PRODUCER, config),
        queue_(rd_kafka_queue_new(get()), rd_kafka_queue_destroy) {}

  rd_kafka_resp_err_t CreateTopic(const std::string& name, int partitions,
                                  const RdKafkaConfig& configs) {
    std::array<char, 512> why{};
    rd_kafka_NewTopic_t* topic =
        rd_kafka_NewTopic_new(name.c_str(), partitions, 1, why.data(), why.size());
    for (const auto& [key, value] : configs) {
      rd_kafka_NewTopic_set_config(topic, key.c_str(), value.c_str());
    }
    rd_kafka_CreateTopics(get(), &topic, 1, nullptr, queue_.get());
    rd_kafka_NewTopic_destroy(topic);
    return TopicError(rd_kafka_event_CreateTopics_result, rd_kafka_CreateTopics_result_topics);
  }
  rd_kafka_resp_err_t CreatePartitions(const std::string& name, size_t total) {
    std::array<char, 512> why{};
    rd_kafka_NewPartitions_t* grown =
        rd_kafka_NewPartitions_new(name.c_str(), total, why.data(), why.size());
    rd_kafka_CreatePartitions(get(), &grown, 1, nullptr, queue_.get());
    rd_kafka_NewPartitions_destroy(grown);
    return TopicError(rd_kafka_event_CreatePartitions_result,
                      rd_kafka_CreatePartitions_result_topics);
  }
  rd_kafka_resp_err_t DeleteTopic(const std::string& name) {
    rd_kafka_DeleteTopic_t* topic = rd_kafka_DeleteTopic_new(name.c_str());
    rd_kafka_DeleteTopics(get(), &topic, 1, nullptr, queue_.get());
    rd_kafka_DeleteTopic_destroy(topic);
    return TopicError(rd_kafka_event_DeleteTopics_result, rd_kafka_DeleteTopics_result_topics);
  }
  /// Replaces all settings of the topic.
  rd_kafka_resp_err_t AlterConfigs(const std::string& name, const RdKafkaConfig& configs) {
    rd_kafka_ConfigResource_t* resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str());
    for (const auto& [key, value] : configs) {
      rd_kafka_ConfigResource_set_config(resource, key.c_str(), value.c_str());
    }
    rd_kafka_AlterConfigs(get(), &resource, 1, nullptr, queue_.get());
    rd_kafka_ConfigResource_destroy(resource);
    const Event event = Next();
    const auto* const result = rd_kafka_event_AlterConfigs_result(event.get());
    if (result == nullptr) return rd_kafka_event_error(event.get());
    size_t count = 0;
    const auto* const* const told = rd_kafka_AlterConfigs_result_resources(result, &count);
    return count == 1 ? rd_kafka_ConfigResource_error(told[0]) : RD_KAFKA_RESP_ERR__FAIL;
  }
  /// Of a topic or a broker.
  RdKafkaConfig DescribeConfigs(rd_kafka_ResourceType_t type, const std::string& name) {
    rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(type, name.c_str());
    rd_kafka_DescribeConfigs(get(), &resource, 1, nullptr, queue_.get());
    rd_kafka_ConfigResource_destroy(resource);
    const Event event = Next();
    RdKafkaConfig configs;
    const auto* const result = rd_kafka_event_DescribeConfigs_result(event.get());
    EXPECT_NE(result, nullptr) << rd_kafka_event_error_string(event.get());
    if (result == nullptr) return configs;
    size_t count = 0;
    const auto* const* const told = rd_kafka_DescribeConfigs_result_resources(result, &count);
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(rd_kafka_ConfigResource_error(told[0]), RD_KAFKA_RESP_ERR_NO_ERROR);
    const auto* const* const entries = rd_kafka_ConfigResource_configs(told[0], &count);
    for (size_t i = 0; i < count; ++i) {
      configs[rd_kafka_ConfigEntry_name(entries[i])] = rd_kafka_ConfigEntry_value(entries[i]);
    }
    return configs;
  }
  rd_kafka_resp_err_t DeleteRecords(const std::string& name, int32_t partition, int64_t before) {
    auto* const partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, name.c_str(), partition)->offset = before;
    rd_kafka_DeleteRecords_t* deletion = rd_kafka_DeleteRecords_new(partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    rd_kafka_DeleteRecords(get(), &deletion, 1, nullptr, queue_.get());
    rd_kafka_DeleteRecords_destroy(deletion);
    return PartitionError(rd_kafka_event_DeleteRecords_result,
                          rd_kafka_DeleteRecords_result_offsets);
  }
  /// Forgets how far the group has read.
  rd_kafka_resp_err_t DeleteOffset(const std::string& group, const std::string& topic,
                                   int32_t partition) {
    auto* const partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, topic.c_str(), partition);
    rd_kafka_DeleteConsumerGroupOffsets_t* deletion =
        rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    rd_kafka_DeleteConsumerGroupOffsets(get(), &deletion, 1, nullptr, queue_.get());
    rd_kafka_DeleteConsumerGroupOffsets_destroy(deletion);
    const Event event = Next();
    const auto* const result = rd_kafka_event_DeleteConsumerGroupOffsets_result(event.get());
    if (result == nullptr) return rd_kafka_event_error(event.get());
    size_t count = 0;
    const auto* const* const told =
        rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, &count);
    const rd_kafka_error_t* const refusal = rd_kafka_group_result_error(told[0]);
    if (refusal != nullptr) return rd_kafka_error_code(refusal);
    return rd_kafka_group_result_partitions(told[0])->elems[0].err;
  }

 private:
  using Queue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;
  using Event = std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)>;

  Event Next() {
    const auto timeout_ms = static_cast<int>(absl::ToInt64Milliseconds(kRdKafkaPatience));
    return {rd_kafka_queue_poll(queue_.get(), timeout_ms), rd_kafka_event_destroy};
  }
  template <typename ResultOf, typename TopicsOf>
  rd_kafka_resp_err_t TopicError(ResultOf result_of, TopicsOf topics_of) {
    const Event event = Next();
    const auto* const result = result_of(event.get());
    if (result == nullptr) return rd_kafka_event_error(event.get());
    size_t count = 0;
    const auto* const* const topics = topics_of(result, &count);
    return count == 1 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR__FAIL;
  }
  template <typename ResultOf, typename PartitionsOf>
  rd_kafka_resp_err_t PartitionError(ResultOf result_of, PartitionsOf partitions_of) {
    const Event event = Next();
    const auto* const result = result_of(event.get());
    if (result == nullptr) return rd_kafka_event_error(event.get());
    return partitions_of(result)->elems[0].err;
  }

  Queue queue_;
};

}  // namespace talosmq
