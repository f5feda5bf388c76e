// Batches as other implementations of the format write them, made by record_batch_golden.py without
// any of our code: each has to be read as what it was made of, for ever.

#include "base/bytes.h"
#include "record/batch.h"

#include "compat/hex_file.h"
#include "gtest/gtest.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::compat {
namespace {

using record::BatchBuilder;
using record::BatchReader;
using record::Codec;
using record::HeaderInput;
using record::HeaderView;
using record::RecordInput;
using record::RecordView;

constexpr int64_t kT0 = 1'700'000'000'000;

const std::vector<HeaderInput>& MixedHeaders() {
  static const auto* const headers = new std::vector<HeaderInput>{
      {.key = "trace", .value = "a"},
      {.key = "trace", .value = "b"},
      {.key = "", .value = std::nullopt},
      {.key = "empty", .value = ""},
  };
  return *headers;
}

/// The five records that most golden batches hold.
std::vector<RecordInput> MixedRecords() {
  static const auto* const long_value = new std::string(200, 'x');
  return {
      {.timestamp_ms = kT0, .key = "k1", .value = "value one"},
      {.timestamp_ms = kT0 + 5, .value = "no key"},
      {.timestamp_ms = kT0 - 2, .key = "", .value = ""},
      {.timestamp_ms = kT0 + 1000, .key = "k2", .headers = MixedHeaders()},
      {.timestamp_ms = kT0 + 1000, .key = "long", .value = *long_value},
  };
}

std::string Golden(const std::string& name) {
  return BytesOfHex(ReadRepositoryFile("tests/compat/data/record_batch/" + name + ".hex"));
}

void ExpectSame(const RecordInput& expected, const RecordView& found) {
  EXPECT_EQ(found.timestamp_ms, expected.timestamp_ms);
  EXPECT_EQ(found.key, expected.key);
  EXPECT_EQ(found.value, expected.value);
  const std::vector<HeaderView> headers = HeadersOf(found);
  ASSERT_EQ(headers.size(), expected.headers.size());
  for (size_t i = 0; i < headers.size(); ++i) {
    EXPECT_EQ(headers[i].key, expected.headers[i].key);
    EXPECT_EQ(headers[i].value, expected.headers[i].value);
  }
}

void ExpectHolds(std::string_view batch, const std::vector<RecordInput>& expected,
                 const std::vector<int64_t>& offsets) {
  auto reader = BatchReader::Open(base::AsBytes(batch), {});
  ASSERT_TRUE(reader.ok()) << reader.status();
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto record = reader->Next();
    ASSERT_TRUE(record.ok()) << record.status();
    ASSERT_TRUE(record->has_value()) << "ends before record " << i;
    EXPECT_EQ((*record)->offset, Offset(offsets[i]));
    ExpectSame(expected[i], **record);
  }
  const auto end = reader->Next();
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_FALSE(end->has_value());
}

class MixedBatchTest : public testing::TestWithParam<std::pair<std::string, Codec>> {};

TEST_P(MixedBatchTest, IsAcceptedAndReadAsWhatWasSent) {
  const auto& [name, codec] = GetParam();
  const std::string batch = Golden(name);
  const auto facts = record::ValidateClientBatch(base::AsBytes(batch), {.now_ms = kT0});
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->header.codec(), codec);
  EXPECT_EQ(facts->header.count, 5);
  EXPECT_EQ(facts->max_timestamp_ms, facts->header.max_timestamp_ms);
  ExpectHolds(batch, MixedRecords(), {0, 1, 2, 3, 4});
}

INSTANTIATE_TEST_SUITE_P(
    EveryFraming, MixedBatchTest,
    testing::Values(std::pair("none", Codec::kNone), std::pair("gzip", Codec::kGzip),
                    std::pair("gzip_members", Codec::kGzip),
                    std::pair("snappy_raw", Codec::kSnappy),
                    std::pair("snappy_xerial", Codec::kSnappy), std::pair("lz4", Codec::kLz4),
                    std::pair("lz4_content_size", Codec::kLz4), std::pair("zstd", Codec::kZstd),
                    std::pair("zstd_frames", Codec::kZstd)));

TEST(GoldenBatchTest, UncompressedBatchIsBuiltByteForByte) {
  BatchBuilder builder(Codec::kNone, 64);
  for (const RecordInput& record : MixedRecords()) builder.Append(record);
  const auto batch = builder.Finish({});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->text(), Golden("none"));
}

TEST(GoldenBatchTest, IdempotentBatchIsBuiltByteForByte) {
  BatchBuilder builder(Codec::kNone, 64);
  builder.Append({.timestamp_ms = kT0, .key = "k", .value = "v"});
  const auto batch =
      builder.Finish({.producer_id = ProducerId(4711), .producer_epoch = 2, .base_sequence = 99});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->text(), Golden("idempotent"));
}

TEST(GoldenBatchTest, CompactedBatchKeepsItsOffsets) {
  ExpectHolds(Golden("compacted"),
              {{.timestamp_ms = kT0 + 3, .key = "a", .value = "1"},
               {.timestamp_ms = kT0 + 9, .key = "b", .value = "2"}},
              {1003, 1009});
}

TEST(GoldenBatchTest, EmptiedBatchStillCoversItsOffsets) {
  const std::string batch = Golden("emptied");
  ExpectHolds(batch, {}, {});
  const auto header = record::ParseHeader(base::AsBytes(batch));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->epoch, LeaderEpoch(7));
  EXPECT_EQ(header->base_offset, Offset(1000));
  EXPECT_EQ(header->end_offset(), Offset(1010));
}

TEST(GoldenBatchTest, LogAppendTimeHoldsForEveryRecord) {
  ExpectHolds(Golden("log_append_time"), {{.timestamp_ms = kT0 + 77, .value = "v"}}, {5});
}

TEST(GoldenBatchTest, CommitMarkerIsAControlBatch) {
  const auto header = record::ParseHeader(base::AsBytes(Golden("commit_marker")));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_TRUE(header->is_control());
  EXPECT_EQ(header->producer_id, ProducerId(4711));
  using namespace std::string_view_literals;
  ExpectHolds(Golden("commit_marker"),
              {{.timestamp_ms = kT0, .key = "\0\0\0\1"sv, .value = "\0\0\0\0\0\3"sv}}, {50});
}

}  // namespace
}  // namespace talosmq::compat
