#include "client/produce_codec.h"

#include "client/fetch_codec.h"
#include "talosmq/error.h"
#include "talosmq/v1/message.pb.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

namespace talosmq::client {
namespace {

using google::protobuf::io::ArrayInputStream;

TopicId SomeId() {
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i + 1);
  return TopicId(bytes);
}

std::string Join(const std::vector<base::Buffer>& pieces) {
  std::string text;
  for (const base::Buffer& piece : pieces) text += piece.text();
  return text;
}

absl::StatusOr<std::vector<FetchedPartition>> Decode(const std::string& bytes,
                                                     int block_bytes = -1) {
  ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()), block_bytes);
  return DecodeFetchResponse(in, static_cast<int64_t>(bytes.size()));
}

TEST(ProduceCodecTest, AProduceRequestIsAValidProtobufMessage) {
  const std::string records(100'000, 'r');
  const ProduceMessage message{
      .request_id = 42,
      .acks = Acks::kLeader,
      .timeout = absl::Milliseconds(1500),
      .batches = {{.target = {SomeId(), PartitionId(3)},
                   .known_epoch = LeaderEpoch(6),
                   .records = base::Buffer::CopyOf(base::AsBytes(records))},
                  {.target = {SomeId(), PartitionId(0)},
                   .known_epoch = kNoEpoch,
                   .records = base::Buffer::CopyOf(base::AsBytes("x"))}}};
  v1::ProduceRequest request;
  ASSERT_TRUE(request.ParseFromString(Join(EncodeProduceRequest(message))));
  EXPECT_EQ(request.request_id(), 42u);
  EXPECT_EQ(request.acks(), v1::ACKS_LEADER);
  EXPECT_EQ(request.timeout_ms(), 1500u);
  ASSERT_EQ(request.batches_size(), 2);
  EXPECT_EQ(request.batches(0).topic_id(), SomeId().bytes());
  EXPECT_EQ(request.batches(0).partition(), 3);
  EXPECT_EQ(request.batches(0).known_leader_epoch_plus_one(), 7);
  EXPECT_EQ(request.batches(0).records(), records);
  EXPECT_EQ(request.batches(1).known_leader_epoch_plus_one(), 0);
  EXPECT_EQ(request.batches(1).records(), "x");
}

TEST(ProduceCodecTest, BatchesAreNotCopied) {
  const base::Buffer records = base::Buffer::CopyOf(base::AsBytes("records"));
  const auto pieces = EncodeProduceRequest(
      {.batches = {{.target = {SomeId(), PartitionId(0)}, .records = records}}});
  EXPECT_EQ(pieces.back().bytes().data(), records.bytes().data());
}

TEST(ProduceCodecTest, APastDeadlineStillHasATimeout) {
  v1::ProduceRequest request;
  ASSERT_TRUE(request.ParseFromString(
      Join(EncodeProduceRequest({.timeout = -absl::Seconds(1), .batches = {}}))));
  EXPECT_EQ(request.timeout_ms(), 1u) << "0 would mean: no deadline";
}

TEST(ProduceCodecTest, AnAnswerKeepsReasonAndLeader) {
  v1::ProduceResponse response;
  response.set_request_id(9);
  v1::PartitionAck& ack = *response.add_acks();
  ack.set_topic_id(std::string(SomeId().bytes()));
  ack.mutable_error()->set_reason(v1::REASON_NOT_LEADER);
  ack.mutable_error()->set_message("not here");
  ack.mutable_error()->set_leader_address("b:2");
  const std::string bytes = response.SerializeAsString();
  ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()));
  const auto answer = DecodeProduceResponse(in);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->request_id, 9u);
  EXPECT_EQ(ReasonOf(answer->acks[0].status), Reason::kNotLeader);
  EXPECT_EQ(LeaderAddressOf(answer->acks[0].status), "b:2");
}

TEST(ProduceCodecTest, AReasonOfALaterVersionIsInternal) {
  v1::ProduceResponse response;
  v1::PartitionAck& ack = *response.add_acks();
  ack.set_topic_id(std::string(SomeId().bytes()));
  ack.mutable_error()->set_reason(static_cast<v1::Reason>(5555));
  const std::string bytes = response.SerializeAsString();
  ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()));
  EXPECT_EQ(ReasonOf(DecodeProduceResponse(in)->acks[0].status), Reason::kInternal);
}

TEST(ProduceCodecTest, AnAnswerWithAWrongTopicIdIsRefused) {
  v1::ProduceResponse response;
  response.add_acks()->set_topic_id("short");
  const std::string bytes = response.SerializeAsString();
  ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()));
  EXPECT_EQ(ReasonOf(DecodeProduceResponse(in).status()), Reason::kInternal);
}

TEST(FetchCodecTest, ReadsWhatProtobufWritesInAnyFragments) {
  v1::FetchResponse response;
  v1::FetchedPartition& partition = *response.add_partitions();
  partition.set_subscription_id(5);
  partition.set_topic_id(std::string(SomeId().bytes()));
  partition.set_high_watermark(1000);
  partition.set_next_offset(900);
  partition.set_records(std::string(5000, 'r'));
  v1::FetchedPartition& failed = *response.add_partitions();
  failed.set_subscription_id(6);
  failed.mutable_error()->set_reason(v1::REASON_OFFSET_OUT_OF_RANGE);
  response.set_forwarded(true);
  for (const int block_bytes : {-1, 1, 7, 4096}) {
    const auto partitions = Decode(response.SerializeAsString(), block_bytes);
    ASSERT_TRUE(partitions.ok()) << block_bytes;
    ASSERT_EQ(partitions->size(), 2u);
    EXPECT_EQ((*partitions)[0].subscription_id, 5u);
    EXPECT_EQ((*partitions)[0].high_watermark, Offset(1000));
    EXPECT_EQ((*partitions)[0].next_offset, Offset(900));
    EXPECT_EQ((*partitions)[0].records.text(), std::string(5000, 'r'));
    EXPECT_EQ(ReasonOf((*partitions)[1].status), Reason::kOffsetOutOfRange);
  }
}

TEST(FetchCodecTest, EveryCutIsRefused) {
  v1::FetchResponse response;
  response.add_partitions()->set_records("0123456789");
  const std::string bytes = response.SerializeAsString();
  for (size_t length = 1; length < bytes.size(); ++length) {
    EXPECT_EQ(ReasonOf(Decode(bytes.substr(0, length)).status()), Reason::kInternal) << length;
  }
}

TEST(FetchCodecTest, ALengthBeyondTheBytesIsRefusedBeforeItIsAllocated) {
  // partitions { records: length 2^31 - 1 } with nothing behind it.
  const std::string bytes = "\x0a\x06\x4a\xff\xff\xff\xff\x07";
  EXPECT_EQ(ReasonOf(Decode(bytes).status()), Reason::kInternal);
}

TEST(FetchCodecTest, AFetchRequestIsAValidProtobufMessage) {
  const std::string bytes = EncodeFetchRequest({.subscribe = {{.id = 3,
                                                               .source = {SomeId(), PartitionId(1)},
                                                               .offset = Offset(77),
                                                               .known_epoch = LeaderEpoch(0)}},
                                                .unsubscribe = {2},
                                                .credit_bytes = 1 << 20});
  v1::FetchRequest request;
  ASSERT_TRUE(request.ParseFromString(bytes));
  EXPECT_EQ(request.subscribe(0).subscription_id(), 3u);
  EXPECT_EQ(request.subscribe(0).offset(), 77);
  EXPECT_EQ(request.subscribe(0).known_leader_epoch_plus_one(), 1);
  EXPECT_EQ(request.unsubscribe(0), 2u);
  EXPECT_EQ(request.credit_bytes(), 1u << 20);
}

}  // namespace
}  // namespace talosmq::client
