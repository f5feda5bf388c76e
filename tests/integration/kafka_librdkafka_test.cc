// librdkafka, by its own interface, against the Kafka port of a real server.

#include "kafka/protocol/fetch.h"
#include "record/batch.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/rdkafka_client.h"
#include "integration/server_fixture.h"
#include "unit/kafka/raw_client.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Not;
using testing::Pair;

constexpr int64_t kTimeMs = 1'700'000'000'000;
constexpr int16_t kFetchVersion = 11;
constexpr int32_t kFetchBytes = 16 << 20;

class LibrdkafkaTest : public ServerTest {
 protected:
  void SetUp() override { admin_ = std::make_unique<RdKafkaAdmin>(Config()); }

  static RdKafkaConfig Config(RdKafkaConfig more = {}) {
    more["bootstrap.servers"] = server_->kafka_address();
    return more;
  }
  RdKafkaConfig MemberConfig(const std::string& strategy) const {
    return Config({{"group.id", topic_},
                   {"partition.assignment.strategy", strategy},
                   {"auto.offset.reset", "earliest"},
                   {"enable.auto.commit", "false"},
                   {"session.timeout.ms", "6000"},
                   {"heartbeat.interval.ms", "200"}});
  }
  void Create(int partitions) {
    ASSERT_EQ(admin_->CreateTopic(topic_, partitions, {}), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  /// Record i has value i, and its time i seconds after kTimeMs.
  void SendNumbers(int count, int partitions, const RdKafkaConfig& config = {}) {
    RdKafkaProducer producer(Config(config));
    for (int i = 0; i < count; ++i) {
      producer.Send(topic_, i % partitions, std::to_string(i), kTimeMs + i * int64_t{1000});
    }
    producer.Flush();
    EXPECT_EQ(producer.delivered(), count);
  }
  std::vector<std::string> ReadValues(int64_t from, size_t count) {
    RdKafkaConsumer consumer(Config({{"group.id", "none"}, {"enable.auto.commit", "false"}}));
    consumer.Assign(topic_, 0, from);
    consumer.ReadUntil(count);
    std::vector<std::string> values;
    for (const RdKafkaRecord& record : consumer.records()) values.push_back(record.value);
    return values;
  }
  /// Of the stored batches from `offset` on.
  std::set<record::Codec> StoredCodecs(int64_t offset) const {
    const std::string& address = server_->kafka_address();
    const kafka::RawClient client(
        static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    kafka::FetchRequest request;
    request.max_bytes = kFetchBytes;
    request.topics = {
        {.name = topic_,
         .partitions = {
             {.partition = 0, .fetch_offset = offset, .partition_max_bytes = kFetchBytes}}}};
    client.Ask(request, kFetchVersion, 1);
    const auto fetched = client.ReadAnswer<kafka::FetchResponse>(kFetchVersion, 1);
    std::string stored;
    for (const base::Buffer& chunk : fetched.topics.at(0).partitions.at(0).records->chunks()) {
      stored += chunk.text();
    }
    std::set<record::Codec> codecs;
    for (std::string_view rest = stored; !rest.empty();) {
      const auto header = record::ParseHeader(base::AsBytes(rest));
      EXPECT_TRUE(header.ok()) << header.status();
      if (!header.ok()) break;
      codecs.insert(header->codec());
      rest.remove_prefix(std::min(header->size(), rest.size()));
    }
    return codecs;
  }
  /// Polls all until each has so many partitions.
  static void Settle(std::initializer_list<RdKafkaConsumer*> members, size_t each) {
    const auto has_its_share = [each](const RdKafkaConsumer* member) {
      return member->owned().size() == each;
    };
    const absl::Time deadline = absl::Now() + kRdKafkaPatience;
    while (absl::Now() < deadline && !std::ranges::all_of(members, has_its_share)) {
      for (RdKafkaConsumer* const member : members) member->Poll();
    }
    EXPECT_TRUE(std::ranges::all_of(members, has_its_share));
  }

  std::unique_ptr<RdKafkaAdmin> admin_;
};

TEST_F(LibrdkafkaTest, EveryCodecWithIdempotenceKeepsEveryRecordInOrder) {
  constexpr int count = 2000;
  const std::pair<const char*, record::Codec> codecs[] = {{"none", record::Codec::kNone},
                                                          {"gzip", record::Codec::kGzip},
                                                          {"snappy", record::Codec::kSnappy},
                                                          {"lz4", record::Codec::kLz4},
                                                          {"zstd", record::Codec::kZstd}};
  Create(1);
  int64_t begin = 0;
  for (const auto& [name, codec] : codecs) {
    SCOPED_TRACE(name);
    // A batch that does not become smaller is sent as it is: it has to have some records.
    SendNumbers(count, 1,
                {{"enable.idempotence", "true"}, {"compression.type", name}, {"linger.ms", "200"}});
    EXPECT_THAT(StoredCodecs(begin), testing::ElementsAre(codec));
    const std::vector<std::string> values = ReadValues(begin, count);
    for (int i = 0; i < count; ++i) ASSERT_EQ(values.at(static_cast<size_t>(i)), std::to_string(i));
    begin += count;
  }
}

TEST_F(LibrdkafkaTest, ATransactionalProducerIsRefusedAtOnce) {
  const RdKafkaProducer producer(Config({{"transactional.id", "mine"}}));
  const absl::Time begin = absl::Now();
  rd_kafka_error_t* const error = rd_kafka_init_transactions(producer.get(), 60'000);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(rd_kafka_error_code(error), RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  EXPECT_FALSE(rd_kafka_error_is_retriable(error));
  rd_kafka_error_destroy(error);
}

TEST_F(LibrdkafkaTest, ATimeIsAPlace) {
  Create(1);
  SendNumbers(10, 1);
  RdKafkaConsumer consumer(Config({{"group.id", "none"}}));
  EXPECT_EQ(consumer.OffsetAt(topic_, 0, kTimeMs + 3500), 4);
  EXPECT_EQ(consumer.OffsetAt(topic_, 0, kTimeMs - 1), 0);
  EXPECT_EQ(consumer.OffsetAt(topic_, 0, kTimeMs + 60'000), RD_KAFKA_OFFSET_END);
  EXPECT_EQ(ReadValues(4, 6).front(), "4");
}

class LibrdkafkaGroupTest : public LibrdkafkaTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    LibrdkafkaTest::SetUp();
    topic_ = std::string("group.") + GetParam();
  }
};

TEST_P(LibrdkafkaGroupTest, MembersShareAndTakeOverWithoutLossOrDoubles) {
  constexpr int partitions = 4;
  constexpr int count = 400;
  Create(partitions);
  SendNumbers(count, partitions);
  RdKafkaConsumer one(MemberConfig(GetParam()));
  one.Subscribe(topic_);
  one.ReadUntil(count);
  EXPECT_EQ(one.owned().size(), partitions);
  one.Commit();
  RdKafkaConsumer other(MemberConfig(GetParam()));
  other.Subscribe(topic_);
  Settle({&one, &other}, partitions / 2);
  one.Close();
  Settle({&other}, partitions);
  SendNumbers(count, partitions);
  other.ReadUntil(count);
  EXPECT_EQ(other.owned().size(), partitions);
  const std::set<RdKafkaRecord> read(other.records().begin(), other.records().end());
  EXPECT_EQ(read.size(), count);
  for (const RdKafkaRecord& record : read) EXPECT_GE(record.offset, count / partitions);
}

INSTANTIATE_TEST_SUITE_P(Strategies, LibrdkafkaGroupTest,
                         testing::Values("range", "cooperative-sticky"));

TEST_F(LibrdkafkaTest, TopicsAreCreatedGrownTrimmedAndDeleted) {
  ASSERT_EQ(admin_->CreateTopic(topic_, 1, {{"retention.ms", "60000"}}),
            RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_EQ(admin_->CreateTopic(topic_, 1, {}), RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
  EXPECT_EQ(admin_->CreatePartitions(topic_, 3), RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_EQ(admin_->CreatePartitions(topic_, 2), RD_KAFKA_RESP_ERR_INVALID_PARTITIONS);
  SendNumbers(9, 3);
  EXPECT_EQ(admin_->DeleteRecords(topic_, 0, 2), RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_EQ(admin_->DeleteRecords(topic_, 0, 7), RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
  EXPECT_EQ(ReadValues(RD_KAFKA_OFFSET_BEGINNING, 1).front(), "6");
  EXPECT_EQ(admin_->DeleteTopic(topic_), RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_EQ(admin_->DeleteTopic(topic_), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

TEST_F(LibrdkafkaTest, SettingsAreDescribedAndReplaced) {
  ASSERT_EQ(admin_->CreateTopic(topic_, 1, {{"retention.ms", "60000"}, {"segment.ms", "5000"}}),
            RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_THAT(admin_->DescribeConfigs(RD_KAFKA_RESOURCE_TOPIC, topic_),
              AllOf(Contains(Pair("retention.ms", "60000")), Contains(Pair("segment.ms", "5000"))));
  EXPECT_EQ(admin_->AlterConfigs(topic_, {{"retention.ms", "70000"}}), RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_EQ(admin_->AlterConfigs(topic_, {{"no.such.key", "1"}}), RD_KAFKA_RESP_ERR_INVALID_CONFIG);
  EXPECT_THAT(
      admin_->DescribeConfigs(RD_KAFKA_RESOURCE_TOPIC, topic_),
      AllOf(Contains(Pair("retention.ms", "70000")), Not(Contains(Pair("segment.ms", "5000")))));
  EXPECT_THAT(admin_->DescribeConfigs(RD_KAFKA_RESOURCE_BROKER, "0"),
              AllOf(Contains(Pair("broker.id", "0")),
                    Contains(Pair("auto.create.topics.enable", "false"))));
}

TEST_F(LibrdkafkaTest, OffsetsOfAGroupAreDeletedOnceNobodyReads) {
  Create(1);
  SendNumbers(3, 1);
  RdKafkaConsumer member(MemberConfig("range"));
  member.Subscribe(topic_);
  member.ReadUntil(3);
  member.Commit();
  EXPECT_EQ(admin_->DeleteOffset(topic_, topic_, 0), RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC);
  member.Close();
  EXPECT_EQ(admin_->DeleteOffset(topic_, topic_, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
  RdKafkaConsumer again(MemberConfig("range"));
  again.Subscribe(topic_);
  again.ReadUntil(3);
}

}  // namespace
}  // namespace talosmq
