#include "client/producer_core.h"

#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/client/producer_core_fixture.h"

#include <string>
#include <utility>
#include <vector>

namespace talosmq::client {
namespace {

using ::testing::HasSubstr;

TEST_F(ProducerCoreTest, AnUnknownTopicIsToldAtCreation) {
  net_->topics.clear();
  EXPECT_EQ(ReasonOf(Create()), Reason::kUnknownTopic);
}

TEST_F(ProducerCoreTest, WrongOptionsAreToldAtCreation) {
  options_.in_flight_per_partition = 0;
  EXPECT_EQ(ReasonOf(Create()), Reason::kInvalidArgument);
  EXPECT_TRUE(net_->calls.empty());
}

TEST_F(ProducerCoreTest, ARecordIsDeliveredWithItsOffset) {
  MustCreate();
  Send(11);
  ASSERT_EQ(stream().written.size(), 1u);
  EXPECT_EQ(stream().address, "broker:1");
  EXPECT_EQ(stream().written[0].batches[0].known_epoch, LeaderEpoch(4));
  EXPECT_EQ(Written(0).producer_id, ProducerId(7000));
  EXPECT_EQ(Written(0).base_sequence, 0);
  stream().Accept(0, 500);
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"11:None@500"}));
}

TEST_F(ProducerCoreTest, WhileTheWindowIsFullTheNextBatchGrows) {
  MustCreate();
  SendFirst();
  for (uint64_t tag = 1; tag <= 9; ++tag) Send(tag);
  ASSERT_EQ(stream().written.size(), 6u) << "the first one and five in flight";
  stream().Accept(1, 1);
  Run();
  ASSERT_EQ(stream().written.size(), 7u);
  EXPECT_EQ(Written(6).count, 4) << "6 to 9 in one batch";
  EXPECT_EQ(Written(6).base_sequence, 6);
}

TEST_F(ProducerCoreTest, AFullBufferRefusesUntilAnAnswerMakesRoom) {
  options_.buffer_bytes = 1 << 20;
  options_.batch_bytes = 64 << 10;
  MustCreate();
  const std::string value(10'000, 'x');
  uint64_t accepted = 0;
  while (producer_->TrySend({.value = value}, accepted).ok()) ++accepted;
  EXPECT_GE(accepted, 80u);
  EXPECT_EQ(ReasonOf(producer_->TrySend({.value = value}, 0)), Reason::kOverloaded);
  Run();
  stream().Accept(0, 0);
  Run();
  EXPECT_TRUE(producer_->TrySend({.value = value}, accepted).ok());
}

TEST_F(ProducerCoreTest, AFullBufferCutsLingerShort) {
  options_.buffer_bytes = 1 << 20;
  options_.linger = absl::Minutes(1);
  MustCreate();
  const std::string value(10'000, 'x');
  while (producer_->TrySend({.value = value}, 1).ok()) {
  }
  Run();
  EXPECT_EQ(stream().written.size(), 1u);
}

TEST_F(ProducerCoreTest, ATooLargeRecordIsNotAccepted) {
  options_.buffer_bytes = 1 << 20;
  MustCreate();
  const absl::Status status = producer_->TrySend({.value = std::string(1 << 20, 'x')}, 1);
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected at most"));
  EXPECT_TRUE(IsFlushed());
  EXPECT_EQ(TakeDelivered(), Deliveries{});
}

TEST_F(ProducerCoreTest, APartitionerChooses) {
  net_->topics["events"].leaders = std::vector<std::pair<int32_t, int32_t>>(1000, {0, 1});
  int32_t asked_for = 0;
  options_.partitioner = [&](const Record& record, int32_t partition_count) {
    asked_for = partition_count;
    return record.key == "two" ? std::optional(PartitionId(2)) : std::nullopt;
  };
  MustCreate();
  ASSERT_TRUE(producer_->TrySend({.key = "two", .value = "x"}, 0).ok());
  Run();
  ASSERT_TRUE(producer_->TrySend({.key = "21", .value = "x"}, 1).ok());
  Run();
  EXPECT_EQ(asked_for, 1000);
  EXPECT_EQ(stream().written[0].batches[0].target.partition, PartitionId(2));
  EXPECT_EQ(stream().written[1].batches[0].target.partition, PartitionId(340)) << "as without";
}

TEST_F(ProducerCoreTest, APartitionersAnswerOutOfRangeIsNotAccepted) {
  for (const int32_t answer : {-1, 1, 1000}) {
    options_.partitioner = [answer](const Record&, int32_t) { return PartitionId(answer); };
    MustCreate();
    EXPECT_EQ(ReasonOf(producer_->TrySend({.value = "x"}, 1)), Reason::kUnknownPartition);
    EXPECT_TRUE(IsFlushed());
  }
  EXPECT_EQ(TakeDelivered(), Deliveries{});
}

TEST_F(ProducerCoreTest, AnExplicitPartitionIsNotForThePartitioner) {
  net_->topics["events"].leaders = {{0, 1}, {0, 1}};
  options_.partitioner = [](const Record&, int32_t) { return PartitionId(0); };
  MustCreate();
  ASSERT_TRUE(producer_->TrySend(PartitionId(1), {.value = "x"}, 0).ok());
  Run();
  EXPECT_EQ(stream().written[0].batches[0].target.partition, PartitionId(1));
}

TEST_F(ProducerCoreTest, AnUnknownPartitionIsNotAccepted) {
  MustCreate();
  EXPECT_EQ(ReasonOf(producer_->TrySend(PartitionId(1), {.value = "x"}, 1)),
            Reason::kUnknownPartition);
  EXPECT_EQ(ReasonOf(producer_->TrySend(PartitionId(-1), {.value = "x"}, 1)),
            Reason::kUnknownPartition);
}

TEST_F(ProducerCoreTest, FlushWaitsForTheDeliveriesAndTellsTheFirstError) {
  options_.linger = absl::Minutes(1);
  MustCreate();
  Send(1);
  EXPECT_TRUE(net_->produce_streams.empty()) << "lingers";
  EXPECT_FALSE(IsFlushed());
  ASSERT_EQ(stream().written.size(), 1u);
  bool flushed = false;
  producer_->Flush([&](const absl::Status& status) {
    flushed = true;
    flush_status_ = status;
  });
  stream().Refuse(0, Reason::kInvalidTimestamp);
  Run();
  EXPECT_TRUE(flushed);
  EXPECT_TRUE(IsFlushed());
  EXPECT_TRUE(flush_status_.ok()) << "told once";
}

TEST_F(ProducerCoreTest, AcksNoneIsDeliveredOnceWritten) {
  options_.acks = Acks::kNone;
  options_.idempotent = false;
  MustCreate();
  Send(1);
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:None@-1"}));
}

TEST_F(ProducerCoreTest, PartitionsShareAMessageButNeverTwoBatchesOfOne) {
  net_->topics["events"].leaders = {{0, 1}, {0, 1}};
  MustCreate();
  ASSERT_TRUE(producer_->TrySend(PartitionId(0), {.value = "a"}, 0).ok());
  ASSERT_TRUE(producer_->TrySend(PartitionId(1), {.value = "b"}, 1).ok());
  Run();
  ASSERT_EQ(stream().written.size(), 1u);
  EXPECT_EQ(stream().written[0].batches.size(), 2u);
  stream().holds_writes = true;
  stream().Answer(stream().written[0], 1, absl::OkStatus(), Offset(3));
  stream().Answer(stream().written[0], 0, absl::OkStatus(), Offset(5));
  Run();
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:None@3", "0:None@5"}));
  for (uint64_t tag = 2; tag <= 4; ++tag) {
    ASSERT_TRUE(producer_->TrySend(PartitionId(0), {.value = "c"}, tag).ok());
    Run();
  }
  ASSERT_EQ(stream().written.size(), 2u);
  stream().observer->OnWritten(stream().written[1].request_id);
  Run();
  ASSERT_EQ(stream().written.size(), 3u);
  EXPECT_EQ(stream().written[2].batches.size(), 1u);
}

TEST_F(ProducerCoreTest, KeylessRecordsStickForABatchThenMoveOn) {
  net_->topics["events"].leaders = {{0, 1}, {0, 1}, {0, 1}};
  options_.batch_records = 2;
  MustCreate();
  for (uint64_t tag = 0; tag < 6; ++tag) {
    ASSERT_TRUE(producer_->TrySend({.value = "x"}, tag).ok());
  }
  Run();
  std::map<int32_t, int32_t> records;
  for (const ProduceMessage& message : stream().written) {
    for (const PartitionBatch& batch : message.batches) {
      records[batch.target.partition.value()] += record::ParseHeader(batch.records.bytes())->count;
    }
  }
  EXPECT_EQ(records, (std::map<int32_t, int32_t>{{0, 2}, {1, 2}, {2, 2}}));
}

TEST_F(ProducerCoreTest, KeysGoWhereKafkasJavaClientSendsThem) {
  net_->topics["events"].leaders = std::vector<std::pair<int32_t, int32_t>>(1000, {0, 1});
  MustCreate();
  ASSERT_TRUE(producer_->TrySend({.key = "21", .value = "x"}, 0).ok());
  Run();
  EXPECT_EQ(stream().written[0].batches[0].target.partition, PartitionId(340));
}

TEST_F(ProducerCoreTest, AddedPartitionsAreUsedOnceTheMetadataTells) {
  MustCreate();
  net_->topics["events"].leaders = {{0, 4}, {0, 1}};
  Advance(absl::Seconds(30));
  EXPECT_TRUE(producer_->TrySend(PartitionId(1), {.value = "x"}, 1).ok());
  Run();
  EXPECT_EQ(Written(0).base_sequence, 0);
}

TEST_F(ProducerCoreTest, LateAnswersFindNobodyWhenTheProducerIsGone) {
  MustCreate();
  SendFirst();
  Send(1);
  producer_ = nullptr;
  stream().Accept(1, 1);
  Run();
  EXPECT_EQ(TakeDelivered(), Deliveries{});
}

TEST_F(ProducerCoreTest, LingerSendsByItself) {
  options_.linger = absl::Milliseconds(20);
  MustCreate();
  Send(1);
  Advance(absl::Milliseconds(19));
  EXPECT_TRUE(net_->produce_streams.empty());
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(stream().written.size(), 1u);
}

}  // namespace
}  // namespace talosmq::client
