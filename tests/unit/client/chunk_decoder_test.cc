#include "client/chunk_decoder.h"

#include "base/crc32c.h"
#include "record/batch.h"
#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talosmq::client {
namespace {

using ::testing::HasSubstr;

/// `count` records "v<offset>" from `base_offset` on, as a broker would serve them.
std::string BatchAt(int64_t base_offset, int count, record::Codec codec = record::Codec::kNone) {
  record::BatchBuilder builder(codec, 1024);
  const Header header{.key = "h", .value = "1"};
  for (int i = 0; i < count; ++i) {
    const std::string value = "v" + std::to_string(base_offset + i);
    builder.Append({.timestamp_ms = 1000 + i, .value = value, .headers = {&header, 1}});
  }
  base::Buffer bytes = *builder.Finish({});
  record::PatchBaseOffset(bytes.mutable_bytes(), Offset(base_offset));
  return std::string(bytes.text());
}

FetchedChunk ChunkOf(const std::string& bytes, int64_t next_offset) {
  FetchedChunk chunk;
  chunk.partition = PartitionId(3);
  chunk.next_offset = Offset(next_offset);
  chunk.records = base::Buffer::CopyOf(base::AsBytes(bytes));
  return chunk;
}

/// Breaks the first record and makes the CRC right again.
std::string Poisoned(std::string batch) {
  batch[record::kHeaderBytes] = '\x7f';
  const uint32_t crc = base::Crc32c(base::AsBytes(batch).subspan(record::kCrcBegin));
  auto* bytes = reinterpret_cast<std::byte*>(batch.data());
  base::StoreBigEndian(bytes + record::kCrcPosition, crc);
  return batch;
}

DecodedChunk Decode(const FetchedChunk& chunk, int64_t position,
                    OnCorrupt on_corrupt = OnCorrupt::kFail) {
  return DecodeChunk(TopicId(), chunk, Offset(position), on_corrupt);
}

std::vector<std::string> Values(const DecodedChunk& decoded) {
  std::vector<std::string> values;
  for (const RecordBatchView& batch : decoded.batches) {
    for (const ConsumedRecord& record : batch.records()) values.emplace_back(*record.value);
  }
  return values;
}

TEST(ChunkDecoderTest, ReadsEveryBatchInOrder) {
  const auto decoded = Decode(ChunkOf(BatchAt(10, 2) + BatchAt(12, 1), 13), 10);
  EXPECT_TRUE(decoded.status.ok());
  EXPECT_EQ(Values(decoded), (std::vector<std::string>{"v10", "v11", "v12"}));
  EXPECT_EQ(decoded.position, Offset(13));
  const ConsumedRecord& record = decoded.batches[0].records()[1];
  EXPECT_EQ(record.offset, Offset(11));
  EXPECT_EQ(record.timestamp, absl::FromUnixMillis(1001));
  EXPECT_FALSE(record.key.has_value());
  ASSERT_EQ(record.headers.size(), 1u);
  EXPECT_EQ(record.headers[0].key, "h");
}

TEST(ChunkDecoderTest, RecordsBelowThePositionAreLeftOut) {
  const auto decoded = Decode(ChunkOf(BatchAt(10, 5) + BatchAt(15, 1), 16), 13);
  EXPECT_EQ(Values(decoded), (std::vector<std::string>{"v13", "v14", "v15"}));
}

TEST(ChunkDecoderTest, ViewsOutliveTheChunkAlsoWhenCompressed) {
  for (const record::Codec codec : {record::Codec::kNone, record::Codec::kZstd}) {
    PolledRecords kept;
    {
      auto decoded = Decode(ChunkOf(BatchAt(0, 3, codec), 3), 0);
      kept.batches = std::move(decoded.batches);
    }
    EXPECT_EQ(*kept.batches[0].records()[2].value, "v2");
  }
}

TEST(ChunkDecoderTest, AWrongCrcIsToldWithItsOffsets) {
  std::string bytes = BatchAt(0, 2) + BatchAt(2, 2);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  const auto decoded = Decode(ChunkOf(bytes, 4), 0, OnCorrupt::kSkip);
  EXPECT_EQ(Values(decoded).size(), 2u) << "what stands before it is good";
  EXPECT_EQ(decoded.position, Offset(2));
  EXPECT_EQ(ReasonOf(decoded.status), Reason::kCorruptData);
  EXPECT_THAT(std::string(decoded.status.message()),
              ::testing::AllOf(HasSubstr("partition 3"), HasSubstr("2 to 3")));
}

TEST(ChunkDecoderTest, APoisonBatchStopsTheReader) {
  const auto decoded = Decode(ChunkOf(BatchAt(0, 1) + Poisoned(BatchAt(1, 4)), 5), 0);
  EXPECT_EQ(decoded.position, Offset(1));
  EXPECT_EQ(ReasonOf(decoded.status), Reason::kCorruptData);
}

TEST(ChunkDecoderTest, APoisonBatchMayBeSkippedAndCounted) {
  const std::string bytes = BatchAt(0, 1) + Poisoned(BatchAt(1, 4)) + BatchAt(5, 1);
  const auto decoded = Decode(ChunkOf(bytes, 6), 0, OnCorrupt::kSkip);
  EXPECT_TRUE(decoded.status.ok());
  EXPECT_EQ(Values(decoded), (std::vector<std::string>{"v0", "v5"}));
  EXPECT_EQ(decoded.skipped_records, 4);
  ASSERT_EQ(decoded.skipped.size(), 1u);
  EXPECT_EQ(decoded.skipped[0].partition, PartitionId(3));
  EXPECT_EQ(decoded.skipped[0].first, Offset(1));
  EXPECT_EQ(decoded.skipped[0].next, Offset(5));
  EXPECT_EQ(ReasonOf(decoded.skipped[0].why), Reason::kCorruptData);
}

TEST(ChunkDecoderTest, WhatTheServerRefusedCountsByItsOffsets) {
  FetchedChunk chunk = ChunkOf("", 9);
  chunk.skipped.push_back({.partition = PartitionId(3),
                           .first = Offset(7),
                           .next = Offset(9),
                           .why = MakeError(Reason::kCorruptData, "damaged")});
  const auto decoded = Decode(chunk, 7, OnCorrupt::kSkip);
  EXPECT_EQ(decoded.position, Offset(9));
  EXPECT_EQ(decoded.skipped_records, 2);
  ASSERT_EQ(decoded.skipped.size(), 1u);
  EXPECT_EQ(decoded.skipped[0].first, Offset(7));
}

TEST(ChunkDecoderTest, ABatchThatIsCutOffIsCorrupt) {
  const std::string bytes = BatchAt(0, 1);
  for (size_t length = 1; length < bytes.size(); ++length) {
    const auto decoded = Decode(ChunkOf(bytes.substr(0, length), 1), 0);
    EXPECT_EQ(ReasonOf(decoded.status), Reason::kCorruptData) << length;
    EXPECT_TRUE(decoded.batches.empty());
  }
}

TEST(ChunkDecoderTest, AnEmptyChunkStillMovesThePosition) {
  EXPECT_EQ(Decode(ChunkOf("", 50), 40).position, Offset(50));
}

}  // namespace
}  // namespace talosmq::client
