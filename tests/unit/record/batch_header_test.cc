#include "base/bytes.h"
#include "record/batch.h"

#include "gtest/gtest.h"
#include "unit/record/raw_batch.h"
#include "unit/record/told.h"

#include <limits>
#include <string>

namespace talosmq::record {
namespace {

base::MutableByteSpan Mutable(std::string& bytes) {
  return std::as_writable_bytes(std::span(bytes));
}

TEST(BatchHeaderTest, EveryFieldIsDecoded) {
  const std::string bytes = RawBatch{.base_offset = 77,
                                     .epoch = 3,
                                     .attributes = 0x2c,
                                     .last_offset_delta = 9,
                                     .base_timestamp_ms = -5,
                                     .max_timestamp_ms = 6,
                                     .producer_id = 0x0102030405060708,
                                     .producer_epoch = 11,
                                     .base_sequence = 12,
                                     .count = 4}
                                .Encode();
  const auto header = ParseHeader(base::AsBytes(bytes));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->base_offset, Offset(77));
  EXPECT_EQ(header->size(), bytes.size());
  EXPECT_EQ(header->epoch, LeaderEpoch(3));
  EXPECT_EQ(header->magic, 2);
  EXPECT_EQ(header->codec(), Codec::kZstd);
  EXPECT_EQ(header->timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_TRUE(header->is_control());
  EXPECT_EQ(header->last_offset(), Offset(86));
  EXPECT_EQ(header->end_offset(), Offset(87));
  EXPECT_EQ(header->base_timestamp_ms, -5);
  EXPECT_EQ(header->max_timestamp_ms, 6);
  EXPECT_EQ(header->producer_id, ProducerId(0x0102030405060708));
  EXPECT_EQ(header->producer_epoch, 11);
  EXPECT_EQ(header->base_sequence, 12);
  EXPECT_EQ(header->count, 4);
}

TEST(BatchHeaderTest, FewerBytesThanAHeaderAreOutOfRange) {
  const std::string bytes = RawBatch().Encode();
  for (size_t size = 0; size < kHeaderBytes; ++size) {
    EXPECT_TRUE(absl::IsOutOfRange(ParseHeader(base::AsBytes(bytes).first(size)).status())) << size;
  }
}

TEST(BatchHeaderTest, AnotherMagicIsCorrupt) {
  EXPECT_EQ(Told(ParseHeader(base::AsBytes(RawBatch{.magic = 1}.Encode()))),
            "CorruptBatch: batch at base offset 0: expected magic 2, found 1");
}

TEST(BatchHeaderTest, LengthBelowAHeaderIsCorrupt) {
  const std::string bytes = RawBatch{.length_error = -1, .records = ""}.Encode();
  EXPECT_EQ(Told(ParseHeader(base::AsBytes(bytes))),
            "CorruptBatch: batch at base offset 0: expected a length of at least 49, found 48");
}

TEST(BatchHeaderTest, ZerosOfATornTailAreCorrupt) {
  EXPECT_FALSE(ParseHeader(base::AsBytes(std::string(4096, '\0'))).ok());
}

TEST(BatchHeaderTest, BaseOffsetThatIsNoOffsetIsCorrupt) {
  const int64_t largest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(ReasonOf(ParseHeader(base::AsBytes(RawBatch{.base_offset = -1}.Encode())).status()),
            Reason::kCorruptBatch);
  EXPECT_EQ(
      ReasonOf(ParseHeader(base::AsBytes(RawBatch{.base_offset = largest}.Encode())).status()),
      Reason::kCorruptBatch);
}

TEST(BatchHeaderTest, OffsetsOfALargestHeaderDoNotOverflow) {
  const int32_t delta = std::numeric_limits<int32_t>::max();
  const int64_t base_offset = std::numeric_limits<int64_t>::max() - delta - 1;
  const std::string bytes =
      RawBatch{.base_offset = base_offset, .last_offset_delta = delta}.Encode();
  const auto header = ParseHeader(base::AsBytes(bytes));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->end_offset(), Offset(std::numeric_limits<int64_t>::max()));
}

TEST(BatchCrcTest, EveryFlippedBitBehindTheCrcFieldIsNoticed) {
  const std::string bytes = RawBatch().Encode();
  ASSERT_TRUE(VerifyCrc(base::AsBytes(bytes)).ok());
  for (size_t position = kCrcPosition; position < bytes.size(); ++position) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[position] = static_cast<char>(flipped[position] ^ (1 << bit));
      EXPECT_EQ(ReasonOf(VerifyCrc(base::AsBytes(flipped))), Reason::kCorruptBatch)
          << position << "/" << bit;
    }
  }
}

TEST(BatchCrcTest, ErrorTellsBothSums) {
  std::string bytes = RawBatch().Encode();
  base::StoreBigEndian(Mutable(bytes).data() + kCrcPosition, uint32_t{0x1234});
  const std::string told = Told(VerifyCrc(base::AsBytes(bytes)));
  EXPECT_TRUE(told.starts_with(
      "CorruptBatch: batch at base offset 0: expected CRC-32C 0x00001234, found 0x"))
      << told;
}

TEST(BatchCrcTest, CutOffAndLongerBatchesAreCorrupt) {
  const std::string bytes = RawBatch().Encode();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ReasonOf(VerifyCrc(base::AsBytes(bytes).first(size))), Reason::kCorruptBatch) << size;
  }
  EXPECT_EQ(ReasonOf(VerifyCrc(base::AsBytes(bytes + "x"))), Reason::kCorruptBatch);
}

TEST(BatchPatchTest, OffsetAndEpochLeaveTheCrcRight) {
  std::string bytes = RawBatch().Encode();
  PatchBaseOffset(Mutable(bytes), Offset(1'000'000'007));
  PatchEpoch(Mutable(bytes), LeaderEpoch(42));
  EXPECT_TRUE(VerifyCrc(base::AsBytes(bytes)).ok());
  const auto header = ParseHeader(base::AsBytes(bytes));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->base_offset, Offset(1'000'000'007));
  EXPECT_EQ(header->epoch, LeaderEpoch(42));
}

TEST(BatchPatchTest, LogAppendTimeStampsEveryRecord) {
  std::string bytes = RawBatch{.attributes = 0}.Encode();
  StampLogAppendTime(Mutable(bytes), 5555);
  auto reader = BatchReader::Open(base::AsBytes(bytes), {});
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->header().timestamp_type(), TimestampType::kLogAppendTime);
  const auto record = reader->Next();
  ASSERT_TRUE(record.ok() && record->has_value());
  EXPECT_EQ((*record)->timestamp_ms, 5555);
}

TEST(BatchPatchTest, MaxTimestampIsRewrittenWithItsCrc) {
  std::string bytes = RawBatch{.max_timestamp_ms = 1}.Encode();
  PatchMaxTimestamp(Mutable(bytes), 1000);
  const auto facts = ValidateClientBatch(base::AsBytes(bytes), {.now_ms = 1000});
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->header.max_timestamp_ms, 1000);
}

TEST(BatchPatchTest, ClearedProducerLeavesTheRestOfTheBatch) {
  std::string bytes = RawBatch{.producer_id = 5, .producer_epoch = 1, .base_sequence = 7}.Encode();
  const auto before = ParseHeader(base::AsBytes(bytes));
  ClearProducer(Mutable(bytes));
  ASSERT_TRUE(VerifyCrc(base::AsBytes(bytes)).ok());
  EXPECT_EQ(bytes.size(), before->size());
  const auto facts = ValidateClientBatch(base::AsBytes(bytes), {.now_ms = 1000});
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->header.producer_id, kNoProducer);
  EXPECT_EQ(facts->header.producer_epoch, -1);
  EXPECT_EQ(facts->header.base_sequence, -1);
}

}  // namespace
}  // namespace talosmq::record
