#include "record/batch.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/record/raw_batch.h"

#include <array>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace talosmq::record {
namespace {

constexpr std::array kCodecs = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4,
                                Codec::kZstd};

/// Owns what RecordInput views.
struct OwnedRecord {
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

std::optional<std::string_view> View(const std::optional<std::string>& text) {
  if (!text.has_value()) return std::nullopt;
  return std::string_view(*text);
}

void Append(BatchBuilder& builder, const OwnedRecord& record) {
  std::vector<HeaderInput> headers;
  for (const auto& [key, value] : record.headers) {
    headers.push_back({.key = key, .value = View(value)});
  }
  const RecordInput input{.timestamp_ms = record.timestamp_ms,
                          .key = View(record.key),
                          .value = View(record.value),
                          .headers = headers};
  const size_t before = builder.bytes();
  builder.Append(input);
  EXPECT_LE(builder.bytes() - before, BatchBuilder::EncodedBytesMax(input));
}

void ExpectSame(const OwnedRecord& sent, const RecordView& read) {
  EXPECT_EQ(read.timestamp_ms, sent.timestamp_ms);
  EXPECT_EQ(read.key, View(sent.key));
  EXPECT_EQ(read.value, View(sent.value));
  const std::vector<HeaderView> headers = HeadersOf(read);
  ASSERT_EQ(headers.size(), sent.headers.size());
  for (size_t i = 0; i < headers.size(); ++i) {
    EXPECT_EQ(headers[i].key, sent.headers[i].first);
    EXPECT_EQ(headers[i].value, View(sent.headers[i].second));
  }
}

void ExpectReadsBack(const base::Buffer& batch, const std::vector<OwnedRecord>& sent) {
  const auto facts = ValidateClientBatch(batch.bytes(), {.now_ms = int64_t{1} << 50});
  ASSERT_TRUE(facts.ok()) << facts.status();
  auto reader = BatchReader::Open(batch.bytes(), {});
  ASSERT_TRUE(reader.ok()) << reader.status();
  for (size_t i = 0; i < sent.size(); ++i) {
    const auto record = reader->Next();
    ASSERT_TRUE(record.ok()) << record.status();
    ASSERT_TRUE(record->has_value()) << i;
    EXPECT_EQ((*record)->offset, Offset(static_cast<int64_t>(i)));
    ExpectSame(sent[i], **record);
  }
  const auto end = reader->Next();
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_FALSE(end->has_value());
}

class RandomRecords {
 public:
  explicit RandomRecords(uint32_t seed) : random_(seed) {}

  OwnedRecord Next() {
    OwnedRecord record{.timestamp_ms = static_cast<int64_t>(random_() >> 24),
                       .key = MaybeText(),
                       .value = MaybeText(),
                       .headers = {}};
    for (size_t i = Below(4); i > 0; --i) record.headers.emplace_back(Text(), MaybeText());
    return record;
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }
  /// Mostly short; now and then across the lengths at which a varint grows.
  std::string Text() {
    constexpr std::array<size_t, 8> kLengths = {0, 1, 10, 63, 64, 100, 8191, 8192};
    return std::string(kLengths[Below(kLengths.size())], static_cast<char>('a' + Below(26)));
  }
  std::optional<std::string> MaybeText() {
    if (Below(4) == 0) return std::nullopt;
    return Text();
  }

  std::mt19937_64 random_;
};

TEST(BatchBuilderTest, RandomRecordsComeBackThroughEveryCodec) {
  for (const Codec codec : kCodecs) {
    RandomRecords random(7);
    BatchBuilder builder(codec, 64);
    for (const int count : {1, 2, 63, 65, 200}) {
      SCOPED_TRACE(testing::Message() << "codec " << static_cast<int>(codec) << ", " << count);
      std::vector<OwnedRecord> sent;
      for (int i = 0; i < count; ++i) {
        sent.push_back(random.Next());
        Append(builder, sent.back());
      }
      EXPECT_EQ(builder.count(), count);
      const auto batch = builder.Finish({});
      ASSERT_TRUE(batch.ok()) << batch.status();
      EXPECT_TRUE(builder.empty());
      ExpectReadsBack(*batch, sent);
    }
  }
}

TEST(BatchBuilderTest, SingleRecordHasTheBytesOfTheFormat) {
  BatchBuilder builder(Codec::kNone, 128);
  builder.Append({.timestamp_ms = 1000, .value = "v"});
  const auto batch = builder.Finish({});
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->text(), RawBatch().Encode());
}

TEST(BatchBuilderTest, EmptyAndAbsentFieldsStayApart) {
  BatchBuilder builder(Codec::kNone, 128);
  const std::vector<OwnedRecord> sent = {
      {.key = "", .value = "", .headers = {{"", ""}, {"", std::nullopt}, {"", ""}}},
      {.key = std::nullopt, .value = std::nullopt, .headers = {}}};
  for (const OwnedRecord& record : sent) Append(builder, record);
  const auto batch = builder.Finish({});
  ASSERT_TRUE(batch.ok());
  ExpectReadsBack(*batch, sent);
}

TEST(BatchBuilderTest, ProducerStampIsWritten) {
  BatchBuilder builder(Codec::kZstd, 128);
  builder.Append({.value = "v"});
  const auto batch =
      builder.Finish({.producer_id = ProducerId(9), .producer_epoch = 3, .base_sequence = 77});
  ASSERT_TRUE(batch.ok());
  const auto header = ParseHeader(batch->bytes());
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->producer_id, ProducerId(9));
  EXPECT_EQ(header->producer_epoch, 3);
  EXPECT_EQ(header->base_sequence, 77);
  EXPECT_EQ(header->base_offset, Offset(0));
  EXPECT_EQ(header->epoch, kNoEpoch);
}

TEST(BatchBuilderTest, LargestTimestampIsKeptWhereverItStands) {
  BatchBuilder builder(Codec::kNone, 128);
  for (const int64_t timestamp_ms : {500, 900, 100}) builder.Append({.timestamp_ms = timestamp_ms});
  const auto batch = builder.Finish({});
  ASSERT_TRUE(batch.ok());
  const auto header = ParseHeader(batch->bytes());
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->base_timestamp_ms, 500);
  EXPECT_EQ(header->max_timestamp_ms, 900);
}

TEST(BatchBuilderTest, FinishedBatchIsUntouchedByTheNext) {
  for (const size_t reserve_bytes : {size_t{16}, size_t{4096}}) {
    BatchBuilder builder(Codec::kNone, reserve_bytes);
    builder.Append({.value = "first"});
    const auto first = builder.Finish({});
    ASSERT_TRUE(first.ok());
    const std::string before(first->text());
    for (int i = 0; i < 100; ++i) builder.Append({.value = "x"});
    ASSERT_TRUE(builder.Finish({}).ok());
    EXPECT_EQ(first->text(), before);
  }
}

TEST(BatchBuilderTest, BytesAreThoseOfTheUncompressedBatch) {
  BatchBuilder builder(Codec::kNone, 1024);
  EXPECT_EQ(builder.bytes(), kHeaderBytes);
  builder.Append({.value = "value"});
  const size_t bytes = builder.bytes();
  const auto batch = builder.Finish({});
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->size(), bytes);
  EXPECT_EQ(builder.bytes(), kHeaderBytes);
}

TEST(BatchBuilderTest, TimestampsTooFarApartAreRefusedByReaders) {
  BatchBuilder builder(Codec::kNone, 128);
  builder.Append({.timestamp_ms = std::numeric_limits<int64_t>::min()});
  builder.Append({.timestamp_ms = std::numeric_limits<int64_t>::max()});
  const auto batch = builder.Finish({});
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(ReasonOf(ValidateClientBatch(batch->bytes(), {}).status()), Reason::kInvalidRecord);
}

TEST(BatchBuilderDeathTest, BatchWithoutRecordsCannotBeFinished) {
  BatchBuilder builder(Codec::kNone, 128);
  EXPECT_DEATH((void)builder.Finish({}), "at least one record");
}

}  // namespace
}  // namespace talosmq::record
