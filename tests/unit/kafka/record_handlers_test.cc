// Produce, Fetch, and what else is asked of the records of partitions.

#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "record/batch.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/kafka/handler_fixture.h"

#include <string>
#include <tuple>
#include <vector>

namespace talosmq::kafka {
namespace {

class KafkaRecordHandlersTest : public HandlerTest {
 protected:
  static ListOffsetsRequest ListAt(int64_t timestamp) {
    ListOffsetsRequest request;
    request.topics = {{.name = "orders", .partitions = {{.partition = 0, .timestamp = timestamp}}}};
    return request;
  }
};

// The status of a read that worked became a result without a value, which ends a debug build.
TEST_F(KafkaRecordHandlersTest, AnOffsetByTimeComesWithTheTimeOfItsRecord) {
  broker_.messages.Store(kOrders0, BatchOf("value", 1234));
  const auto answer = Ask<ListOffsetsResponse>(ListAt(1000), 4).topics.at(0).partitions.at(0);
  EXPECT_EQ(answer.error_code, 0);
  EXPECT_EQ(answer.offset, 0);
  EXPECT_EQ(answer.timestamp, 1234);
  EXPECT_EQ(answer.leader_epoch, 3);
}

// The time was put into a field that version 0 lacks, which ends a debug build.
TEST_F(KafkaRecordHandlersTest, AnOffsetByTimeInVersion0ComesAlone) {
  broker_.messages.Store(kOrders0, BatchOf("value", 1234));
  const auto answer = Ask<ListOffsetsResponse>(ListAt(1000), 0).topics.at(0).partitions.at(0);
  EXPECT_EQ(answer.error_code, 0);
  EXPECT_THAT(answer.old_style_offsets, testing::ElementsAre(0));
}

// It was an error, which a client tries again for ever.
TEST_F(KafkaRecordHandlersTest, AnOffsetByTimeThatLiesInDamageIsTold) {
  std::string batch = BatchOf("value", 1234);
  batch[record::kHeaderBytes] = '\xff';  // The length of its record.
  broker_.messages.Store(kOrders0, batch);
  const auto answer = Ask<ListOffsetsResponse>(ListAt(1000), 4).topics.at(0).partitions.at(0);
  EXPECT_EQ(answer.error_code, 0);
  EXPECT_EQ(answer.offset, 0);
  EXPECT_EQ(answer.timestamp, 1000) << "a client refuses an offset without a time";
}

TEST_F(KafkaRecordHandlersTest, AnOffsetByTimeWithoutARecordIsNone) {
  const auto answer = Ask<ListOffsetsResponse>(ListAt(1000), 1).topics.at(0).partitions.at(0);
  EXPECT_EQ(answer.error_code, 0);
  EXPECT_EQ(answer.offset, -1);
  EXPECT_EQ(answer.timestamp, -1);
}

TEST_F(KafkaRecordHandlersTest, EpochsEndWhereTheNextBegins) {
  broker_.messages.Store(kOrders0, BatchOf("value"));
  OffsetForLeaderEpochRequest request;
  request.topics = {{.name = "orders",
                     .partitions = {{.partition = 0, .leader_epoch = 3},
                                    {.partition = 0, .leader_epoch = 1},
                                    {.partition = 0, .leader_epoch = 4},
                                    {.partition = 0, .current_leader_epoch = 2, .leader_epoch = 3},
                                    {.partition = 7, .leader_epoch = 3}}}};
  const auto found = Ask<OffsetForLeaderEpochResponse>(request, 4).topics.at(0).partitions;
  std::vector<std::tuple<int16_t, int32_t, int64_t>> told;
  told.reserve(found.size());
  for (const auto& partition : found) {
    told.emplace_back(partition.error_code, partition.leader_epoch, partition.end_offset);
  }
  EXPECT_THAT(told,
              testing::ElementsAre(std::tuple(0, 3, 1), std::tuple(0, 1, 0), std::tuple(0, -1, -1),
                                   std::tuple(Wire(ErrorCode::kFencedLeaderEpoch), -1, -1),
                                   std::tuple(Wire(ErrorCode::kUnknownTopicOrPartition), -1, -1)));
}

class KafkaDivergenceTest : public HandlerTest {
 protected:
  FetchResponse::Topic::Partition FetchAfter(int32_t last_epoch, int64_t offset) {
    FetchRequest request;
    request.max_bytes = 1 << 20;
    request.topics = {{.name = "orders",
                       .partitions = {{.partition = 0,
                                       .fetch_offset = offset,
                                       .last_fetched_epoch = last_epoch,
                                       .partition_max_bytes = 1 << 20}}}};
    return Ask<FetchResponse>(request, 12).topics.at(0).partitions.at(0);
  }
};

TEST_F(KafkaDivergenceTest, WhoHasReadOtherRecordsIsToldWhereTheyPart) {
  broker_.messages.Store(kOrders0, BatchOf("value"));
  const auto beyond = FetchAfter(3, 2);
  EXPECT_EQ(beyond.error_code, 0);
  EXPECT_EQ(beyond.diverging_epoch.epoch, 3);
  EXPECT_EQ(beyond.diverging_epoch.end_offset, 1);
  EXPECT_EQ(beyond.high_watermark, 1);
  EXPECT_TRUE(beyond.records->empty());
  const auto other = FetchAfter(2, 1);
  EXPECT_EQ(other.diverging_epoch.epoch, 2);
  EXPECT_EQ(other.diverging_epoch.end_offset, 0);
}

// Where its log and ours part does not help a client whose records have gone here.
TEST_F(KafkaDivergenceTest, WhoHasReadOtherRecordsBelowTheLogStartIsOutOfRange) {
  for (int i = 0; i < 3; ++i) broker_.messages.Store(kOrders0, BatchOf("value"));
  broker_.messages.MoveLogStarts(Offset(2));
  const auto below = FetchAfter(2, 1);
  EXPECT_EQ(below.error_code, Wire(ErrorCode::kOffsetOutOfRange));
  EXPECT_EQ(below.diverging_epoch.end_offset, -1);
  const auto above = FetchAfter(2, 2);
  EXPECT_EQ(above.error_code, 0);
  EXPECT_EQ(above.diverging_epoch.epoch, 2);
}

TEST_F(KafkaDivergenceTest, WhoHasReadTheSameGoesOn) {
  broker_.messages.Store(kOrders0, BatchOf("value"));
  const auto more = FetchAfter(3, 0);
  EXPECT_EQ(more.error_code, 0);
  EXPECT_EQ(more.diverging_epoch.end_offset, -1);
  EXPECT_FALSE(more.records->empty());
}

TEST_F(KafkaDivergenceTest, AnEpochThatIsNotThereYetIsOutOfRange) {
  EXPECT_EQ(FetchAfter(4, 0).error_code, Wire(ErrorCode::kOffsetOutOfRange));
}

// All of its partitions were read once more, for nobody.
TEST_F(KafkaRecordHandlersTest, AFetchWhoseClientGoesWhileItWaitsReadsNothingMore) {
  broker_.messages.Store(kOrders0, BatchOf("value"));
  FetchRequest request;
  request.max_wait_ms = 60'000;
  request.min_bytes = 1 << 20;
  request.topics = {
      {.name = "orders",
       .partitions = {{.partition = 0, .fetch_offset = 0, .partition_max_bytes = 1 << 20},
                      {.partition = 1, .fetch_offset = 0, .partition_max_bytes = 1 << 20}}}};
  const auto told = Ask<FetchResponse>(request, 11);
  EXPECT_EQ(broker_.messages.fetches(), 4u) << "each partition has been read, and waited at";
  EXPECT_EQ(told.topics.at(0).partitions.at(0).high_watermark, 1);
  EXPECT_TRUE(told.topics.at(0).partitions.at(0).records->empty());
}

/// Two partitions of which one fills the answer.
class KafkaFullFetchTest : public HandlerTest {
 protected:
  KafkaFullFetchTest() {
    StoreInBoth();
    request_.max_bytes = 1;
    request_.topics = {{.name = "orders",
                        .partitions = {{.partition = 0, .partition_max_bytes = 1},
                                       {.partition = 1, .partition_max_bytes = 1}}}};
  }
  void StoreInBoth() {
    for (const int32_t partition : {0, 1}) {
      broker_.messages.Store({FakeTopics::kOrders, PartitionId(partition)}, BatchOf("value"));
    }
  }
  /// Goes on with the session, and changes nothing.
  FetchResponse GoOn(int32_t session, int32_t epoch) {
    FetchRequest request;
    request.max_bytes = 1;
    request.session_id = session;
    request.session_epoch = epoch;
    return Ask<FetchResponse>(request, 11);
  }

  FetchRequest request_;
};

// It was told that its high watermark is -1, and that nothing is wrong.
TEST_F(KafkaFullFetchTest, APartitionThatIsPassedOverIsToldWithItsEnds) {
  const auto told = Ask<FetchResponse>(request_, 11).topics.at(0).partitions;
  EXPECT_FALSE(told.at(0).records->empty());
  EXPECT_EQ(told.at(1).error_code, 0);
  EXPECT_TRUE(told.at(1).records->empty());
  EXPECT_EQ(told.at(1).high_watermark, 1);
  EXPECT_EQ(told.at(1).last_stable_offset, 1);
  EXPECT_EQ(told.at(1).log_start_offset, 0);
}

TEST_F(KafkaFullFetchTest, APartitionThatIsPassedOverTellsItsOwnError) {
  request_.topics[0].partitions[1].current_leader_epoch = 2;
  const auto told = Ask<FetchResponse>(request_, 11).topics.at(0).partitions;
  EXPECT_EQ(told.at(1).error_code, Wire(ErrorCode::kFencedLeaderEpoch));
}

TEST_F(KafkaFullFetchTest, ASessionSaysNothingOfAPartitionThatIsPassedOver) {
  request_.session_epoch = 0;
  const auto opened = Ask<FetchResponse>(request_, 11);
  ASSERT_GT(opened.session_id, 0);
  EXPECT_EQ(opened.topics.at(0).partitions.at(1).high_watermark, 1);
  const auto first = GoOn(opened.session_id, 1);
  ASSERT_EQ(first.topics.size(), 1u);
  ASSERT_EQ(first.topics[0].partitions.size(), 1u);
  EXPECT_EQ(first.topics[0].partitions[0].partition, 0);
  const auto second = GoOn(opened.session_id, 2);
  ASSERT_EQ(second.topics.size(), 1u);
  ASSERT_EQ(second.topics[0].partitions.size(), 1u);
  EXPECT_EQ(second.topics[0].partitions[0].partition, 1);
  EXPECT_EQ(second.topics[0].partitions[0].high_watermark, 1);
}

TEST_F(KafkaRecordHandlersTest, PartitionsOfOneProduceFailForThemselves) {
  const std::string batch = BatchOf("value");
  std::string old = batch;
  old[16] = 1;
  const std::string two = batch + batch;
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1000;
  request.topics = {{.name = "orders",
                     .partitions = {{.partition = 0, .records = batch},
                                    {.partition = 7, .records = batch},
                                    {.partition = 0, .records = old},
                                    {.partition = 0, .records = two},
                                    {.partition = 0, .records = std::nullopt}}}};
  const auto answered = Ask<ProduceResponse>(request, 9);
  std::vector<int16_t> codes;
  for (const auto& partition : answered.topics.at(0).partitions) {
    codes.push_back(partition.error_code);
  }
  EXPECT_THAT(codes, testing::ElementsAre(0, Wire(ErrorCode::kUnknownTopicOrPartition),
                                          Wire(ErrorCode::kUnsupportedForMessageFormat),
                                          Wire(ErrorCode::kInvalidRecord),
                                          Wire(ErrorCode::kCorruptMessage)));
}

// Four bytes more in a request were another copy of the table in its answer.
TEST_F(KafkaRecordHandlersTest, ProducersOfAPartitionAreToldOnceInAnAnswer) {
  DescribeProducersRequest request;
  request.topics = {{.name = "orders", .partitions = {0, 0, 1}},
                    {.name = "orders", .partitions = {1}}};
  const auto topics = Ask<DescribeProducersResponse>(request, 0).topics;
  const auto& first = topics.at(0).partitions;
  EXPECT_EQ(first.at(0).active_producers.size(), 1u);
  EXPECT_EQ(first.at(2).active_producers.size(), 1u);
  for (const auto& repeated : {first.at(1), topics.at(1).partitions.at(0)}) {
    EXPECT_EQ(repeated.error_code, Wire(ErrorCode::kInvalidRequest));
    EXPECT_TRUE(repeated.active_producers.empty());
  }
}

TEST_F(KafkaRecordHandlersTest, AnAnswerTellsOfSoManyProducersAndNoMore) {
  broker_.messages.producers = 60'000;
  DescribeProducersRequest request;
  request.topics = {{.name = "orders", .partitions = {0, 1}}};
  const auto told = Ask<DescribeProducersResponse>(request, 0).topics.at(0).partitions;
  EXPECT_EQ(told.at(0).active_producers.size(), 60'000u);
  EXPECT_EQ(told.at(1).error_code, Wire(ErrorCode::kInvalidRequest));
  EXPECT_TRUE(told.at(1).active_producers.empty());
}

TEST_F(KafkaRecordHandlersTest, ProducersAreToldOfPartitionsThatAreThere) {
  DescribeProducersRequest request;
  request.topics = {{.name = "orders", .partitions = {0, 7}}, {.name = "other", .partitions = {0}}};
  const auto topics = Ask<DescribeProducersResponse>(request, 0).topics;
  const auto& told = topics.at(0).partitions.at(0).active_producers.at(0);
  EXPECT_EQ(told.producer_id, 4000);
  EXPECT_EQ(told.producer_epoch, 2);
  EXPECT_EQ(told.last_sequence, 9);
  EXPECT_EQ(told.last_timestamp, 1234);
  EXPECT_EQ(told.current_txn_start_offset, -1);
  EXPECT_EQ(topics.at(0).partitions.at(1).error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(topics.at(1).partitions.at(0).error_code, Wire(ErrorCode::kUnknownTopicOrPartition));
}

}  // namespace
}  // namespace talosmq::kafka
