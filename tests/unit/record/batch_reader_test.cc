#include "base/bytes.h"
#include "record/batch.h"
#include "record/compression.h"

#include "gtest/gtest.h"
#include "unit/record/raw_batch.h"
#include "unit/record/told.h"

#include <limits>
#include <string>
#include <vector>

namespace talosmq::record {
namespace {

/// What a reader says of a batch from its opening to its end.
std::string ReadAll(const std::string& bytes, std::vector<RecordView>* records = nullptr) {
  auto reader = BatchReader::Open(base::AsBytes(bytes), {.inflated_bytes_max = 4096});
  if (!reader.ok()) return Told(reader);
  while (true) {
    const auto record = reader->Next();
    if (!record.ok()) {
      // After an error the reader is at its end and stays there.
      const auto after = reader->Next();
      EXPECT_TRUE(after.ok() && !after->has_value());
      return Told(record);
    }
    if (!record->has_value()) return "OK";
    if (records != nullptr) records->push_back(**record);
  }
}

/// A poison batch at offsets [100, 101): its CRC is right over the broken record.
std::string ReadBroken(const RawRecord& record) {
  return ReadAll(RawBatch{.base_offset = 100, .records = record.Encode()}.Encode());
}

constexpr std::string_view kPoison = "InvalidRecord: batch of offsets [100, 101): record 0 of 1: ";

std::string Poison(std::string_view problem) { return std::string(kPoison) + std::string(problem); }

TEST(BatchReaderTest, RecordOfAHandMadeBatchIsRead) {
  std::vector<RecordView> records;
  const RawRecord record{
      .timestamp_delta = Varint(-7),
      .key = Varint(0),
      .value = Varint(-1),
      .headers = Varint(2) + Varint(1) + "h" + Varint(-1) + Varint(0) + Varint(2) + "xy"};
  const std::string batch = RawBatch{.base_offset = 50, .records = record.Encode()}.Encode();
  ASSERT_EQ(ReadAll(batch, &records), "OK");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].offset, Offset(50));
  EXPECT_EQ(records[0].timestamp_ms, 993);
  EXPECT_EQ(records[0].key, "");
  EXPECT_EQ(records[0].value, std::nullopt);
  const std::vector<HeaderView> headers = HeadersOf(records[0]);
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers[0].key, "h");
  EXPECT_EQ(headers[0].value, std::nullopt);
  EXPECT_EQ(headers[1].key, "");
  EXPECT_EQ(headers[1].value, "xy");
}

TEST(BatchReaderTest, CompactedBatchKeepsItsGaps) {
  std::vector<RecordView> records;
  const std::string batch = RawBatch{.base_offset = 10,
                                     .last_offset_delta = 9,
                                     .count = 2,
                                     .records = RawRecord{.offset_delta = Varint(3)}.Encode() +
                                                RawRecord{.offset_delta = Varint(7)}.Encode()}
                                .Encode();
  ASSERT_EQ(ReadAll(batch, &records), "OK");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].offset, Offset(13));
  EXPECT_EQ(records[1].offset, Offset(17));
}

TEST(BatchReaderTest, BatchThatCompactionEmptiedHasNoRecords) {
  for (const uint16_t attributes : std::initializer_list<uint16_t>{0, 1, 4}) {
    const std::string batch =
        RawBatch{.attributes = attributes, .last_offset_delta = 9, .count = 0, .records = ""}
            .Encode();
    EXPECT_EQ(ReadAll(batch), "OK") << attributes;
  }
}

TEST(BatchReaderTest, DamageOutsideIsCorrupt) {
  std::string batch = RawBatch().Encode();
  batch.back() = 'x';
  EXPECT_TRUE(ReadAll(batch).starts_with("CorruptBatch: ")) << ReadAll(batch);
  EXPECT_TRUE(ReadAll(batch.substr(0, 20)).starts_with("CorruptBatch: "));
  EXPECT_TRUE(ReadAll("").starts_with("CorruptBatch: "));
}

TEST(BatchReaderTest, CountsThatContradictAreNamed) {
  EXPECT_EQ(ReadAll(RawBatch{.last_offset_delta = -1}.Encode()),
            "CorruptBatch: batch at base offset 0: expected a last offset delta of at least 0, "
            "found -1");
  EXPECT_EQ(ReadAll(RawBatch{.base_offset = 5, .last_offset_delta = 2, .count = 4}.Encode()),
            "InvalidRecord: batch of offsets [5, 8): expected a records count from 0 to 3, "
            "found 4");
  EXPECT_EQ(ReadAll(RawBatch{.count = -1}.Encode()),
            "InvalidRecord: batch of offsets [0, 1): expected a records count from 0 to 1, "
            "found -1");
}

TEST(BatchReaderTest, RecordLengthsAreBoundByTheBytes) {
  EXPECT_EQ(ReadBroken({.length_error = 1}), Poison("its length is 8, but 7 bytes are left"));
  EXPECT_EQ(ReadBroken({.length_error = -7}), Poison("its length is 0, expected at least 1"));
  EXPECT_EQ(ReadBroken({.length_error = -8}), Poison("its length is -1, expected at least 1"));
  EXPECT_EQ(ReadBroken({.length_error = int64_t{1} << 30}),
            Poison("its length is 1073741831, but 7 bytes are left"));
}

TEST(BatchReaderTest, FieldLengthsAreBoundByTheRecord) {
  EXPECT_EQ(ReadBroken({.key = Varint(5)}), Poison("its key length is 5, but 3 bytes are left"));
  EXPECT_EQ(ReadBroken({.key = Varint(-2)}), Poison("its key length is -2, expected at least -1"));
  EXPECT_EQ(ReadBroken({.value = Varint(9) + "v"}),
            Poison("its value length is 9, but 2 bytes are left"));
  EXPECT_EQ(ReadBroken({.value = Varint(-2)}),
            Poison("its value length is -2, expected at least -1"));
}

TEST(BatchReaderTest, HeadersAreBoundByTheRecord) {
  EXPECT_EQ(ReadBroken({.headers = Varint(-1)}),
            Poison("its headers count is -1, expected at least 0"));
  EXPECT_EQ(ReadBroken({.headers = Varint(std::numeric_limits<int32_t>::max())}),
            Poison("of its header 0 of 2147483647: its header key length is cut off or longer than "
                   "a 32-bit varint"));
  EXPECT_EQ(ReadBroken({.headers = Varint(1) + Varint(-1) + Varint(-1)}),
            Poison("of its header 0 of 1: its header key length is -1, expected at least 0"));
  EXPECT_EQ(ReadBroken({.headers = Varint(1) + Varint(0) + Varint(1)}),
            Poison("of its header 0 of 1: its header value length is 1, but 0 bytes are left"));
}

TEST(BatchReaderTest, VarintsLongerThanTheirTypeAreBroken) {
  const std::string five_bytes(5, '\xff');
  const std::string ten_bytes(10, '\xff');
  EXPECT_EQ(ReadBroken({.offset_delta = five_bytes}),
            Poison("its offset delta is cut off or longer than a 32-bit varint"));
  EXPECT_EQ(ReadBroken({.timestamp_delta = ten_bytes}),
            Poison("its timestamp delta is cut off or longer than a 64-bit varint"));
  EXPECT_EQ(ReadAll(RawBatch{.base_offset = 100, .records = five_bytes}.Encode()),
            Poison("its length is cut off or longer than a 32-bit varint"));
}

TEST(BatchReaderTest, RecordsAreConsumedExactly) {
  EXPECT_EQ(ReadBroken({.headers = Varint(0) + "x"}),
            Poison("1 bytes are left over after its last header"));
  EXPECT_EQ(ReadAll(RawBatch{.base_offset = 100, .records = RawRecord().Encode() + "xy"}.Encode()),
            "InvalidRecord: batch of offsets [100, 101): 2 bytes are left over after its last "
            "record");
  EXPECT_EQ(ReadAll(RawBatch{.last_offset_delta = 1, .count = 2}.Encode()),
            "InvalidRecord: batch of offsets [0, 2): record 1 of 2: its length is cut off or "
            "longer than a 32-bit varint");
}

TEST(BatchReaderTest, OffsetDeltasGrowAndStayInTheBatch) {
  EXPECT_EQ(ReadBroken({.offset_delta = Varint(1)}),
            Poison("expected an offset delta from 0 to 0, found 1"));
  EXPECT_EQ(ReadBroken({.offset_delta = Varint(-1)}),
            Poison("expected an offset delta from 0 to 0, found -1"));
  const std::string twice = RawRecord().Encode() + RawRecord().Encode();
  EXPECT_EQ(ReadAll(RawBatch{.last_offset_delta = 1, .count = 2, .records = twice}.Encode()),
            "InvalidRecord: batch of offsets [0, 2): record 1 of 2: expected an offset delta from "
            "1 to 1, found 0");
}

TEST(BatchReaderTest, TimestampThatOverflowsIsBroken) {
  const std::string record =
      RawRecord{.timestamp_delta = Varint(std::numeric_limits<int64_t>::max())}.Encode();
  EXPECT_EQ(ReadAll(RawBatch{.base_timestamp_ms = 1, .records = record}.Encode()),
            "InvalidRecord: batch of offsets [0, 1): record 0 of 1: timestamp delta "
            "9223372036854775807 overflows base timestamp 1");
}

TEST(BatchReaderTest, PoisonNamesTheOffsetsToSkip) {
  const std::string poison = RawBatch{.base_offset = 100,
                                      .attributes = 4,
                                      .last_offset_delta = 4,
                                      .count = 5,
                                      .records = "not zstd"}
                                 .Encode();
  const std::string told = ReadAll(poison);
  EXPECT_TRUE(told.starts_with("InvalidRecord: batch of offsets [100, 105): zstd: ")) << told;
  const auto header = ParseHeader(base::AsBytes(poison));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->end_offset(), Offset(105));
}

TEST(BatchReaderTest, CodecsWithoutAMeaningArePoison) {
  EXPECT_EQ(ReadAll(RawBatch{.attributes = 5}.Encode()),
            "InvalidRecord: batch of offsets [0, 1): compression codec: expected 0 to 4, found 5");
}

TEST(BatchReaderTest, InflatingStopsAtTheLimit) {
  const auto bomb = Compress(Codec::kZstd, base::AsBytes(std::string(1 << 20, 'a')));
  ASSERT_TRUE(bomb.ok());
  EXPECT_EQ(ReadAll(RawBatch{.attributes = 4, .records = std::string(bomb->text())}.Encode()),
            "InvalidRecord: batch of offsets [0, 1): inflated records: expected at most 4096 "
            "bytes, found more");
}

TEST(BatchReaderTest, MovedReaderReadsOn) {
  const auto compressed = Compress(Codec::kGzip, base::AsBytes(RawRecord().Encode()));
  ASSERT_TRUE(compressed.ok());
  const std::string batch =
      RawBatch{.attributes = 1, .records = std::string(compressed->text())}.Encode();
  auto opened = BatchReader::Open(base::AsBytes(batch), {});
  ASSERT_TRUE(opened.ok()) << opened.status();
  BatchReader reader = *std::move(opened);
  const auto record = reader.Next();
  ASSERT_TRUE(record.ok() && record->has_value());
  EXPECT_EQ((*record)->value, "v");
}

}  // namespace
}  // namespace talosmq::record
