#include "rpc/produce_codec.h"

#include "rpc/fetch_codec.h"
#include "rpc/wire.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::rpc {
namespace {

/// The bytes cut into slices of `piece` bytes, as they may arrive.
grpc::ByteBuffer InPieces(const std::string& bytes, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    slices.emplace_back(bytes.substr(at, piece));
  }
  return {slices.data(), slices.size()};
}

v1::ProduceRequest Sample() {
  v1::ProduceRequest request;
  request.set_request_id(UINT64_MAX);
  request.set_acks(v1::ACKS_LEADER);
  request.set_timeout_ms(1500);
  request.set_forwarded(true);
  for (int i = 0; i < 3; ++i) {
    v1::PartitionBatch& batch = *request.add_batches();
    batch.set_topic_id(std::string(16, static_cast<char>('a' + i)));
    batch.set_partition(i - 1);
    batch.set_known_leader_epoch_plus_one(i);
    batch.set_records(std::string(static_cast<size_t>(1000 * i), static_cast<char>('0' + i)));
  }
  return request;
}

TEST(ProduceCodecTest, MessageIsReadHoweverItIsCutIntoSlices) {
  const std::string bytes = Sample().SerializeAsString();
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100}, bytes.size()}) {
    grpc::ByteBuffer buffer = InPieces(bytes, piece);
    const auto message = ParseProduceRequest(buffer);
    ASSERT_TRUE(message.ok()) << message.status();
    EXPECT_EQ(message->request_id, UINT64_MAX);
    EXPECT_EQ(*AcksOf(*message), broker::Acks::kLeader);
    EXPECT_EQ(message->timeout, absl::Milliseconds(1500));
    ASSERT_EQ(message->batches.size(), 3U);
    EXPECT_EQ(message->batches[0].partition, -1);
    EXPECT_EQ(message->batches[2].topic_id, std::string(16, 'c'));
    EXPECT_EQ(message->batches[2].records.text(), std::string(2000, '2'));
  }
}

TEST(ProduceCodecTest, MessageCutAnywhereIsRefusedOrAWholePrefix) {
  const std::string bytes = Sample().SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size) {
    v1::ProduceRequest reference;
    const std::string cut = bytes.substr(0, size);
    grpc::ByteBuffer buffer = InPieces(cut, 64);
    EXPECT_EQ(ParseProduceRequest(buffer).ok(), reference.ParseFromString(cut)) << size;
  }
}

TEST(ProduceCodecTest, LengthBeyondTheBytesIsRefused) {
  // Field 4 (batches) of 2 GiB, and a batch whose records claim 16 MiB.
  for (const std::string& bytes :
       {std::string("\x22\xff\xff\xff\xff\x07"), std::string("\x22\x06\x22\x80\x80\x80\x08x", 8)}) {
    grpc::ByteBuffer buffer = InPieces(bytes, bytes.size());
    EXPECT_EQ(ReasonOf(ParseProduceRequest(buffer).status()), Reason::kInvalidArgument);
  }
}

TEST(ProduceCodecTest, FieldsOfANewerClientAreSkipped) {
  v1::ProduceRequest request = Sample();
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(99, "new");
  v1::PartitionBatch& batch = *request.mutable_batches(1);
  batch.GetReflection()->MutableUnknownFields(&batch)->AddVarint(98, 1);
  grpc::ByteBuffer buffer = InPieces(request.SerializeAsString(), 50);
  EXPECT_TRUE(ParseProduceRequest(buffer).ok());
}

TEST(ProduceCodecTest, OfATopicIdThatIsTooLongOnlyItsBeginningIsKept) {
  v1::ProduceRequest request = Sample();
  request.mutable_batches(1)->set_topic_id(std::string(100'000, 'z'));
  grpc::ByteBuffer buffer = InPieces(request.SerializeAsString(), 4096);
  const auto message = ParseProduceRequest(buffer);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->batches[1].topic_id, std::string(17, 'z'));
  EXPECT_EQ(ReasonOf(ParseTarget(message->batches[1].topic_id, 0).status()),
            Reason::kUnknownTopicId);
  EXPECT_EQ(message->batches[1].records.size(), 1000U);
  EXPECT_EQ(message->batches[2].topic_id, std::string(16, 'c'));
}

TEST(ProduceCodecTest, MoreBatchesThanAllowedAreRefused) {
  v1::ProduceRequest request;
  for (int i = 0; i < 10'001; ++i) request.add_batches();
  grpc::ByteBuffer buffer = InPieces(request.SerializeAsString(), 4096);
  EXPECT_EQ(ReasonOf(ParseProduceRequest(buffer).status()), Reason::kInvalidArgument);
}

TEST(ProduceCodecTest, EmptyMessageIsARequestWithoutBatches) {
  grpc::ByteBuffer empty;
  const auto message = ParseProduceRequest(empty);
  ASSERT_TRUE(message.ok());
  EXPECT_TRUE(message->batches.empty());
}

TEST(FetchCodecTest, ReplyIsAValidMessageWithAllChunksInOrder) {
  std::vector<FetchReply> replies(2);
  replies[0].subscription_id = 12;
  replies[0].topic_id = std::string(16, 'a');
  replies[0].outcome.next_offset = Offset(9);
  replies[0].outcome.chunks = {base::Buffer::CopyOf(base::AsBytes("one")), base::Buffer(),
                               base::Buffer::CopyOf(base::AsBytes("two"))};
  replies[1].outcome.status = MakeError(Reason::kCorruptData, "crc mismatch");
  grpc::ByteBuffer bytes = SerializeFetchResponse(std::move(replies));
  v1::FetchResponse response;
  ASSERT_TRUE(ParseInto(bytes, response, "FetchResponse").ok());
  ASSERT_EQ(response.partitions_size(), 2);
  EXPECT_EQ(response.partitions(0).subscription_id(), 12U);
  EXPECT_EQ(response.partitions(0).next_offset(), 9);
  EXPECT_EQ(response.partitions(0).records(), "onetwo");
  EXPECT_EQ(response.partitions(1).error().reason(), v1::REASON_CORRUPT_DATA);
}

TEST(FetchCodecTest, RecordsAreNotCopiedAndLiveUntilSent) {
  std::vector<FetchReply> replies(1);
  const base::Buffer chunk = base::Buffer::CopyOf(base::AsBytes("stays where it is"));
  const auto* const address = reinterpret_cast<const uint8_t*>(chunk.bytes().data());
  replies[0].outcome.chunks = {chunk};
  const grpc::ByteBuffer bytes = SerializeFetchResponse(std::move(replies));
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(bytes.Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 2U);
  EXPECT_EQ(slices[1].begin(), address);
}

}  // namespace
}  // namespace talosmq::rpc
