// docs/formats/record-batch.md says what the code does: its example and its table of the header.

#include "base/bytes.h"
#include "record/batch.h"

#include "compat/hex_file.h"
#include "gtest/gtest.h"

#include <string>
#include <utility>
#include <vector>

namespace talosmq::compat {
namespace {

constexpr int64_t kT0 = 1'700'000'000'000;

std::string Page() { return ReadRepositoryFile("docs/formats/record-batch.md"); }

TEST(RecordBatchDocumentTest, ExampleIsWhatWeBuild) {
  const record::HeaderInput header{.key = "h", .value = "1"};
  record::BatchBuilder builder(record::Codec::kNone, 64);
  builder.Append(
      {.timestamp_ms = kT0, .key = "k", .value = "hello", .headers = std::span(&header, 1)});
  builder.Append({.timestamp_ms = kT0 + 1, .value = ""});
  const auto batch =
      builder.Finish({.producer_id = ProducerId(4711), .producer_epoch = 0, .base_sequence = 0});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->text(), BytesOfHex(FencedBlock(Page(), "hex")));
}

TEST(RecordBatchDocumentTest, ExampleIsASoundBatch) {
  const std::string bytes = BytesOfHex(FencedBlock(Page(), "hex"));
  const auto facts = record::ValidateClientBatch(base::AsBytes(bytes), {.now_ms = kT0});
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->header.count, 2);
  EXPECT_EQ(facts->max_timestamp_ms, kT0 + 1);
}

TEST(RecordBatchDocumentTest, TableHasEveryFieldWhereTheCodeHasIt) {
  const std::vector<std::pair<size_t, std::string>> fields = {
      {record::kBaseOffsetPosition, "base offset"},
      {record::kLengthPosition, "length"},
      {record::kEpochPosition, "partition leader epoch"},
      {record::kMagicPosition, "magic"},
      {record::kCrcPosition, "CRC"},
      {record::kAttributesPosition, "attributes"},
      {record::kLastOffsetDeltaPosition, "last offset delta"},
      {record::kBaseTimestampPosition, "base timestamp"},
      {record::kMaxTimestampPosition, "max timestamp"},
      {record::kProducerIdPosition, "producer id"},
      {record::kProducerEpochPosition, "producer epoch"},
      {record::kBaseSequencePosition, "base sequence"},
      {record::kCountPosition, "records count"},
  };
  const std::string page = Page();
  for (size_t i = 0; i < fields.size(); ++i) {
    const size_t end = i + 1 < fields.size() ? fields[i + 1].first : record::kHeaderBytes;
    const std::string row = "\n| " + std::to_string(fields[i].first) + " | " +
                            std::to_string(end - fields[i].first) + " | " + fields[i].second;
    EXPECT_NE(page.find(row), std::string::npos) << "expected a row" << row;
  }
}

}  // namespace
}  // namespace talosmq::compat
