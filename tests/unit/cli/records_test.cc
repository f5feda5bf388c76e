#include "cli/interrupt.h"
#include "cli/line_sender.h"
#include "cli/topic_reading.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace talosmq::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// Keeps what it is sent, as "partition|key|value|headers|tag"; "any" and "none" for absent ones.
class FakeProducer final : public Producer {
 public:
  absl::Status Send(const Record& record, uint64_t tag) override {
    return Keep("any", record, tag);
  }
  absl::Status Send(PartitionId partition, const Record& record, uint64_t tag) override {
    return Keep(std::to_string(partition.value()), record, tag);
  }
  absl::Status TrySend(const Record& record, uint64_t tag, absl::Duration) override {
    return Send(record, tag);
  }
  absl::Status TrySend(PartitionId partition, const Record& record, uint64_t tag,
                       absl::Duration) override {
    return Send(partition, record, tag);
  }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::Status Close() override { return absl::OkStatus(); }

  const std::vector<std::string>& sent() const { return sent_; }

 private:
  absl::Status Keep(const std::string& partition, const Record& record, uint64_t tag) {
    std::string text = partition + "|" + std::string(record.key.value_or("none")) + "|" +
                       std::string(record.value.value_or("none")) + "|";
    for (const Header& header : record.headers) {
      text += std::string(header.key) + "=" + std::string(header.value.value_or("none")) + ";";
    }
    sent_.push_back(text + "|" + std::to_string(tag));
    return absl::OkStatus();
  }

  std::vector<std::string> sent_;
};

TEST(LineSenderTest, LineWithoutTheDelimiterIsRefused) {
  FakeProducer producer;
  ProduceOptions options;
  options.key_delimiter = ":";
  LineSender sender(options, producer);
  const absl::Status status = sender.Send("no key here", 1);
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no key here"));
  EXPECT_THAT(producer.sent(), ElementsAre());
}

TEST(LineSenderTest, EmptyLineIsAnEmptyValueWithoutKey) {
  FakeProducer producer;
  const ProduceOptions options;
  LineSender sender(options, producer);
  ASSERT_TRUE(sender.Send("", 7).ok());
  EXPECT_THAT(producer.sent(), ElementsAre("any|none|||7"));
}

TEST(LineSenderTest, FirstDelimiterEndsTheKey) {
  FakeProducer producer;
  ProduceOptions options;
  options.key_delimiter = "::";
  options.partition = 3;
  options.headers = {{.key = "h", .value = "1"}, {.key = "h", .value = "2"}};
  LineSender sender(options, producer);
  ASSERT_TRUE(sender.Send("a::b::c", 1).ok());
  ASSERT_TRUE(sender.Send("::", 2).ok());
  EXPECT_THAT(producer.sent(), ElementsAre("3|a|b::c|h=1;h=2;|1", "3|||h=1;h=2;|2"));
}

/// Holds offsets of two partitions and gives three of a partition in one Poll.
class FakeConsumer final : public Consumer {
 public:
  explicit FakeConsumer(std::map<PartitionId, std::vector<int64_t>> logs)
      : logs_(std::move(logs)) {}

  int32_t partition_count() const override { return static_cast<int32_t>(logs_.size()); }
  absl::Status Assign(const std::vector<PartitionId>& partitions, Position) override {
    for (const PartitionId partition : partitions) next_[partition] = Offset(0);
    return absl::OkStatus();
  }
  absl::Status Add(PartitionId partition, Position from) override { return Seek(partition, from); }
  absl::Status Remove(PartitionId) override { return absl::OkStatus(); }
  absl::Status Pause(PartitionId) override { return absl::OkStatus(); }
  absl::Status Resume(PartitionId) override { return absl::OkStatus(); }
  absl::Status Seek(PartitionId partition, Position to) override {
    next_[partition] = std::get<Offset>(to);
    return absl::OkStatus();
  }
  absl::StatusOr<PolledRecords> Poll(absl::Duration) override {
    if (++polls_ > 100) return MakeError(Reason::kInternal, "polled for ever");
    PolledRecords polled;
    for (auto& [partition, next] : next_) {
      std::vector<ConsumedRecord> records;
      for (const int64_t offset : logs_.at(partition)) {
        if (offset < next.value() || records.size() == 3) continue;
        ConsumedRecord record;
        record.offset = Offset(offset);
        record.value = "v";
        records.push_back(record);
      }
      if (records.empty()) continue;
      next = records.back().offset + 1;
      // The last offset of partition 1 carries no record: the position passes over it.
      if (partition == PartitionId(1) && next == Offset(4)) next = Offset(5);
      polled.batches.emplace_back(TopicPartition{.topic_id = {}, .partition = partition}, records,
                                  nullptr);
    }
    return polled;
  }
  std::vector<PartitionPosition> positions() const override {
    std::vector<PartitionPosition> positions;
    for (const auto& [partition, next] : next_) {
      positions.push_back({.partition = partition, .position = next, .high_watermark = Offset(5)});
    }
    return positions;
  }
  int64_t skipped_records() const override { return 0; }
  absl::StatusOr<Offset> FindOffset(PartitionId, Position) override { return Offset(0); }

 private:
  const std::map<PartitionId, std::vector<int64_t>> logs_;
  std::map<PartitionId, Offset> next_;
  int polls_ = 0;
};

FakeConsumer TwoLogs() {
  return FakeConsumer({{PartitionId(0), {0, 1, 2, 3, 4}}, {PartitionId(1), {0, 1, 2, 3}}});
}

PartitionPlan Plan(int32_t partition, int64_t begin, std::optional<int64_t> stop) {
  PartitionPlan plan{.partition = PartitionId(partition), .begin = Offset(begin), .stop = {}};
  if (stop.has_value()) plan.stop = Offset(*stop);
  return plan;
}

std::vector<std::string> ReadAll(TopicReading& reading, std::optional<int64_t> count,
                                 TopicReading::End expected) {
  std::vector<std::string> seen;
  EXPECT_TRUE(reading.Begin().ok());
  const auto end = reading.Run(
      count, Interrupt::Install(),
      [&seen](PartitionId partition, const ConsumedRecord& record) {
        seen.push_back(std::to_string(partition.value()) + "@" +
                       std::to_string(record.offset.value()));
        return absl::OkStatus();
      },
      [] { return absl::OkStatus(); });
  EXPECT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end.value_or(TopicReading::End::kInterrupted), expected);
  return seen;
}

TEST(TopicReadingTest, NothingIsReadWhereBeginIsStop) {
  FakeConsumer consumer = TwoLogs();
  const ReadPlan plan{.partitions = {Plan(0, 2, 2), Plan(1, 3, 1)}, .notes = {}};
  TopicReading reading(consumer, plan);
  EXPECT_THAT(ReadAll(reading, {}, TopicReading::End::kStops), ElementsAre());
}

TEST(TopicReadingTest, ErrorOfWhoeverTakesTheRecordsEndsIt) {
  FakeConsumer consumer = TwoLogs();
  const ReadPlan plan{.partitions = {Plan(0, 0, std::nullopt)}, .notes = {}};
  TopicReading reading(consumer, plan);
  ASSERT_TRUE(reading.Begin().ok());
  const auto end = reading.Run(
      std::nullopt, Interrupt::Install(),
      [](PartitionId, const ConsumedRecord&) { return MakeError(Reason::kClosed, "gone"); },
      [] { return absl::OkStatus(); });
  EXPECT_EQ(ReasonOf(end.status()), Reason::kClosed);
  EXPECT_THAT(reading.next_offsets(), ElementsAre(Pair(PartitionId(0), Offset(0))));
}

TEST(TopicReadingTest, StopsWithinABatchAndBehindAGap) {
  FakeConsumer consumer = TwoLogs();
  const ReadPlan plan{.partitions = {Plan(0, 1, 3), Plan(1, 2, 5)}, .notes = {}};
  TopicReading reading(consumer, plan);
  EXPECT_THAT(ReadAll(reading, {}, TopicReading::End::kStops),
              ElementsAre("0@1", "0@2", "1@2", "1@3"));
  EXPECT_THAT(reading.next_offsets(),
              ElementsAre(Pair(PartitionId(0), Offset(3)), Pair(PartitionId(1), Offset(5))));
}

TEST(TopicReadingTest, CountEndsWithinABatchAndTellsWhereToGoOn) {
  FakeConsumer consumer = TwoLogs();
  const ReadPlan plan{.partitions = {Plan(0, 0, std::nullopt)}, .notes = {}};
  TopicReading reading(consumer, plan);
  EXPECT_THAT(ReadAll(reading, 4, TopicReading::End::kCount),
              ElementsAre("0@0", "0@1", "0@2", "0@3"));
  EXPECT_EQ(reading.records(), 4);
  EXPECT_THAT(reading.next_offsets(), ElementsAre(Pair(PartitionId(0), Offset(4))));
}

}  // namespace
}  // namespace talosmq::cli
