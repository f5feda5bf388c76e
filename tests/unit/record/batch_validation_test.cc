#include "base/bytes.h"
#include "record/batch.h"
#include "record/compression.h"

#include "gtest/gtest.h"
#include "unit/record/raw_batch.h"
#include "unit/record/told.h"

#include <initializer_list>
#include <limits>
#include <string>

namespace talosmq::record {
namespace {

std::string Validate(const RawBatch& batch, const ValidationOptions& options = {}) {
  return Told(ValidateClientBatch(base::AsBytes(batch.Encode()), options));
}

std::string Compressed(Codec codec, const std::string& records) {
  const auto compressed = Compress(codec, base::AsBytes(records));
  EXPECT_TRUE(compressed.ok()) << compressed.status();
  return std::string(compressed->text());
}

TEST(BatchValidationTest, SoundBatchGivesItsFacts) {
  const RawBatch batch{.max_timestamp_ms = 1,
                       .producer_id = 5,
                       .producer_epoch = 0,
                       .base_sequence = 0,
                       .records = RawRecord{.timestamp_delta = Varint(500)}.Encode()};
  const auto facts = ValidateClientBatch(base::AsBytes(batch.Encode()), {});
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->max_timestamp_ms, 1500);
  EXPECT_EQ(facts->header.max_timestamp_ms, 1);
  EXPECT_EQ(facts->header.producer_id, ProducerId(5));
}

TEST(BatchValidationTest, LengthBeyondTheBytesIsRefused) {
  EXPECT_EQ(Validate({.length_error = 1}),
            "CorruptBatch: batch: expected exactly one of 70 bytes as its length says, found 69 "
            "bytes");
}

TEST(BatchValidationTest, SecondBatchIsRefused) {
  const std::string two = RawBatch().Encode() + RawBatch().Encode();
  EXPECT_EQ(Told(ValidateClientBatch(base::AsBytes(two), {})),
            "CorruptBatch: batch: expected exactly one of 69 bytes as its length says, found 138 "
            "bytes");
}

TEST(BatchValidationTest, EveryCutIsRefused) {
  const std::string batch = RawBatch().Encode();
  for (size_t size = 0; size < batch.size(); ++size) {
    EXPECT_EQ(ReasonOf(ValidateClientBatch(base::AsBytes(batch).first(size), {}).status()),
              Reason::kCorruptBatch)
        << size;
  }
}

TEST(BatchValidationTest, BaseOffsetIsZero) {
  EXPECT_EQ(Validate({.base_offset = 3}), "InvalidRecord: batch: expected base offset 0, found 3");
}

TEST(BatchValidationTest, SizeIsBoundBeforeTheCrcIsLookedAt) {
  std::string batch = RawBatch().Encode();
  batch.back() = 'x';
  EXPECT_EQ(Told(ValidateClientBatch(base::AsBytes(batch), {.batch_bytes_max = 68})),
            "BatchTooLarge: batch: expected at most 68 bytes (max.message.bytes), found 69");
}

TEST(BatchValidationTest, WrongCrcIsRefused) {
  std::string batch = RawBatch().Encode();
  batch.back() = 'x';
  EXPECT_EQ(ReasonOf(ValidateClientBatch(base::AsBytes(batch), {}).status()),
            Reason::kCorruptBatch);
}

TEST(BatchValidationTest, OtherMagicIsRefused) {
  EXPECT_EQ(Validate({.magic = 1}),
            "CorruptBatch: batch at base offset 0: expected magic 2, found 1");
}

TEST(BatchValidationTest, CountsHaveToAgree) {
  const std::string told =
      "InvalidRecord: batch: expected a records count of at least 1 and one above the last offset "
      "delta, found count ";
  EXPECT_EQ(Validate({.count = 0, .records = ""}), told + "0 and delta 0");
  EXPECT_EQ(Validate({.last_offset_delta = -1, .count = 0, .records = ""}),
            told + "0 and delta -1");
  EXPECT_EQ(Validate({.last_offset_delta = 1}), told + "1 and delta 1");
  EXPECT_EQ(Validate({.count = 2}), told + "2 and delta 0");
  EXPECT_EQ(Validate({.count = std::numeric_limits<int32_t>::min()}),
            told + "-2147483648 and delta 0");
}

TEST(BatchValidationTest, AttributesOfBrokersAreRefused) {
  EXPECT_EQ(Validate({.attributes = kControlBit}),
            "InvalidRecord: batch: control batches come from brokers only");
  EXPECT_EQ(Validate({.attributes = kTransactionalBit}),
            "InvalidRecord: batch: expected no transactional batch, since transactions are not "
            "supported");
  EXPECT_EQ(Validate({.attributes = kLogAppendTimeBit}),
            "InvalidTimestamp: batch: expected timestamp type CreateTime, found LogAppendTime, "
            "which a broker sets");
  EXPECT_EQ(Validate({.attributes = kDeleteHorizonBit}),
            "InvalidRecord: batch: expected attributes without bits 6 to 15, found 0x40");
  EXPECT_EQ(Validate({.attributes = 0x8000}),
            "InvalidRecord: batch: expected attributes without bits 6 to 15, found 0x8000");
}

TEST(BatchValidationTest, IdempotentBatchHasASequence) {
  EXPECT_EQ(Validate({.producer_id = 7, .base_sequence = -1}),
            "InvalidRecord: batch: producer 7: expected a base sequence of at least 0, found -1");
}

TEST(BatchValidationTest, OffsetDeltasAreDense) {
  EXPECT_EQ(Validate({.records = RawRecord{.offset_delta = Varint(1)}.Encode()}),
            "InvalidRecord: batch: record 0 of 1: expected offset delta 0, found 1");
}

TEST(BatchValidationTest, BrokenRecordIsNamed) {
  EXPECT_EQ(Validate({.records = RawRecord{.key = Varint(5)}.Encode()}),
            "InvalidRecord: batch: record 0 of 1: its key length is 5, but 3 bytes are left");
}

TEST(BatchValidationTest, BytesAfterTheLastRecordAreRefused) {
  EXPECT_EQ(Validate({.records = RawRecord().Encode() + "x"}),
            "InvalidRecord: batch: 1 bytes are left over after its last record");
}

TEST(BatchValidationTest, RecordSizeIsBound) {
  EXPECT_EQ(Validate({}, {.record_bytes_max = 7}), "OK");
  EXPECT_EQ(Validate({}, {.record_bytes_max = 6}),
            "BatchTooLarge: batch: record 0 of 1: expected at most 6 bytes (max.record.bytes), "
            "found 7");
}

TEST(BatchValidationTest, CompactedTopicAsksForKeys) {
  EXPECT_EQ(Validate({}, {.keys_required = true}),
            "InvalidRecord: batch: record 0 of 1: expected a key, since its topic is compacted, "
            "found none");
  EXPECT_EQ(Validate({.records = RawRecord{.key = Varint(0)}.Encode()}, {.keys_required = true}),
            "OK");
}

TEST(BatchValidationTest, TimestampAheadOfNowIsBound) {
  const ValidationOptions options{.now_ms = 900, .timestamp_after_max_ms = 99};
  EXPECT_EQ(Validate({}, options),
            "InvalidTimestamp: batch: record 0 of 1: expected a timestamp of at most 999 ms "
            "(message.timestamp.after.max.ms past now), found 1000");
  EXPECT_EQ(Validate({.base_timestamp_ms = 999}, options), "OK");
  EXPECT_EQ(Validate({.base_timestamp_ms = -1}, options), "OK");
}

TEST(BatchValidationTest, TimestampsAreTheBrokersOnLogAppendTime) {
  EXPECT_EQ(Validate({}, {.timestamp_type = TimestampType::kLogAppendTime,
                          .now_ms = 0,
                          .timestamp_after_max_ms = 0}),
            "OK");
}

TEST(BatchValidationTest, UnlimitedTimestampsDoNotOverflow) {
  const int64_t largest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(
      Validate({.base_timestamp_ms = largest}, {.now_ms = 1, .timestamp_after_max_ms = largest}),
      "OK");
}

TEST(BatchValidationTest, CompressedRecordsAreWalked) {
  const std::string records = RawRecord{.offset_delta = Varint(4)}.Encode();
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    EXPECT_EQ(Validate({.attributes = static_cast<uint16_t>(codec),
                        .records = Compressed(codec, records)}),
              "InvalidRecord: batch: record 0 of 1: expected offset delta 0, found 4");
  }
}

TEST(BatchValidationTest, BombIsRefusedAtTheCap) {
  const std::string zeros(1 << 20, '\0');
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    EXPECT_EQ(
        Validate({.attributes = static_cast<uint16_t>(codec), .records = Compressed(codec, zeros)},
                 {.inflated_bytes_max = 1000}),
        "BatchTooLarge: batch: inflated records: expected at most 1000 bytes, found more");
  }
}

TEST(BatchValidationTest, StreamThatIsNotWhatTheCodecSaysIsRefused) {
  for (const uint16_t codec : std::initializer_list<uint16_t>{1, 2, 3, 4}) {
    const std::string told = Validate({.attributes = codec, .records = "this is plain text"});
    EXPECT_TRUE(told.starts_with("InvalidRecord: batch: ")) << told;
  }
}

TEST(BatchValidationTest, CodecsWithoutAMeaningAreRefused) {
  for (const uint16_t codec : std::initializer_list<uint16_t>{5, 6, 7}) {
    EXPECT_EQ(Validate({.attributes = codec}),
              "UnsupportedCompression: batch: compression codec: expected 0 to 4, found " +
                  std::to_string(codec));
  }
}

}  // namespace
}  // namespace talosmq::record
