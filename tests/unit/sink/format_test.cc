#include "sink/format.h"

#include "base/utf8.h"
#include "record/batch.h"
#include "sink/file_name.h"
#include "sink/json_text.h"
#include "support/memory_record_source.h"

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace talosmq::sink {
namespace {

constexpr TopicPartition kSource{.topic_id = TopicId(), .partition = PartitionId(3)};

/// One record as it comes out of a batch, formatted.
std::string Formatted(FormatKind kind, const record::RecordInput& input) {
  const base::Buffer batch =
      support::MemoryRecordSource::MakeBatch(Offset(17), {input}, record::Codec::kNone);
  auto reader = record::BatchReader::Open(batch.bytes(), {});
  EXPECT_TRUE(reader.ok()) << reader.status();
  const auto view = reader->Next();
  EXPECT_TRUE(view.ok() && view->has_value());
  std::string out;
  MakeFormat(kind)->Append({.topic = "orders",
                            .partition = kSource.partition,
                            .timestamp_type = record::TimestampType::kCreateTime,
                            .record = **view},
                           out);
  return out;
}

record::RecordInput Input(std::optional<std::string_view> value) {
  return {.timestamp_ms = 1000, .key = std::nullopt, .value = value, .headers = {}};
}

TEST(FormatJsonTest, EnvelopeHasEveryFieldInOrder) {
  const std::vector<record::HeaderInput> headers = {{.key = "a", .value = "1"},
                                                    {.key = "a", .value = std::nullopt}};
  EXPECT_EQ(Formatted(FormatKind::kJson,
                      {.timestamp_ms = 1000, .key = "k", .value = "v", .headers = headers}),
            R"({"topic":"orders","partition":3,"offset":17,"timestamp_ms":1000,)"
            R"("timestamp_type":"create_time","key":"k","value":"v",)"
            R"("headers":[{"key":"a","value":"1"},{"key":"a","value":null}]})"
            "\n");
}

TEST(FormatJsonTest, NullIsNotTheEmptyString) {
  EXPECT_NE(Formatted(FormatKind::kJson, Input(std::nullopt)).find(R"("key":null,"value":null)"),
            std::string::npos);
  EXPECT_NE(Formatted(FormatKind::kJson, Input("")).find(R"("value":"")"), std::string::npos);
}

TEST(FormatJsonTest, BytesThatAreNoTextGoAsBase64) {
  const std::vector<record::HeaderInput> headers = {{.key = "\xff", .value = "\xfe"}};
  const std::string line = Formatted(FormatKind::kJson, {.timestamp_ms = 1,
                                                         .key = "\xc0\x80",
                                                         .value = std::string_view("\0\xff", 2),
                                                         .headers = headers});
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["key_base64"], "wIA=");
  EXPECT_EQ(json["value_base64"], "AP8=");
  EXPECT_EQ(json["headers"][0]["key_base64"], "/w==");
  EXPECT_EQ(json["headers"][0]["value_base64"], "/g==");
  EXPECT_FALSE(json.contains("key"));
  EXPECT_FALSE(json.contains("value"));
}

TEST(FormatJsonTest, EveryByteComesBackFromAnotherParser) {
  std::string value;
  for (int c = 0; c < 0x80; ++c) value.push_back(static_cast<char>(c));
  value +=
      "\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf";
  const std::string line = Formatted(FormatKind::kJson, Input(value));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(nlohmann::json::parse(line)["value"], value);
}

TEST(FormatRawTest, ValueAndNewline) {
  EXPECT_EQ(Formatted(FormatKind::kRaw, Input("a\xff")), "a\xff\n");
}

TEST(FormatRawTest, RecordWithoutValueIsAnEmptyLine) {
  EXPECT_EQ(Formatted(FormatKind::kRaw, Input(std::nullopt)), "\n");
}

TEST(JsonTextTest, MalformedUtf8IsSeenWhereverItStands) {
  const std::vector<std::string> malformed = {
      "\x80",              // A continuation alone.
      "\xc1\xbf",          // Overlong, two bytes.
      "\xe0\x9f\xbf",      // Overlong, three bytes.
      "\xf0\x8f\xbf\xbf",  // Overlong, four bytes.
      "\xed\xa0\x80",      // A surrogate.
      "\xf4\x90\x80\x80",  // Above U+10FFFF.
      "\xf5\x80\x80\x80",  // No such lead byte.
      "\xe2\x82",          // Cut off.
      "\xc2\x41",          // No continuation.
      "\xe1\x80\xc0",      // The third byte is none.
  };
  for (const std::string& bytes : malformed) {
    for (size_t before = 0; before < 20; ++before) {
      EXPECT_FALSE(base::IsUtf8(std::string(before, 'x') + bytes));
      EXPECT_FALSE(base::IsUtf8(std::string(before, 'x') + bytes + "0123456789abcdef"));
    }
  }
}

TEST(FileNamesTest, PublishedNamesSortByOffsetAndCarryTheirRange) {
  const FileNames names("/dump", "orders",
                        {.topic_id = *TopicId::Parse("1f3a9c04-5b6d-4e8f-9a0b-1c2d3e4f5061"),
                         .partition = PartitionId(0)},
                        "json");
  CommittedFile file;
  file.hour = HourOf(1'795'327'200'000);
  file.first = Offset(1200);
  file.last = Offset(1999);
  EXPECT_EQ(names.Published(file),
            "/dump/orders/dt=2026-11-22/hour=06/1f3a9c04-0-00000000000000001200-1999.json");
  EXPECT_EQ(names.Open(7, 3), "/dump/orders/.open/1f3a9c04-0/.7-3.json");
}

TEST(FileNamesTest, OpenNameTellsItsEpoch) {
  EXPECT_EQ(FileNames::EpochOfOpen(".7-3.json"), 7);
  EXPECT_EQ(FileNames::EpochOfOpen("7-3.json"), std::nullopt);
  EXPECT_EQ(FileNames::EpochOfOpen(".x-3.json"), std::nullopt);
  EXPECT_EQ(FileNames::EpochOfOpen(".7"), std::nullopt);
}

TEST(FileNamesTest, TimesThatNoFolderCanNameGoToTheNullFolder) {
  EXPECT_EQ(HourOf(-1), std::nullopt);
  EXPECT_EQ(HourOf(INT64_MAX), std::nullopt);
  EXPECT_EQ(HourOf(0), 0);
  EXPECT_EQ(HourOf(3'599'999), 0);
  EXPECT_EQ(HourOf(3'600'000), 1);
  const FileNames names("/d", "t", kSource, "raw");
  EXPECT_EQ(names.HourFolder(std::nullopt),
            "/d/t/dt=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__");
  EXPECT_EQ(names.HourFolder(HourOf(253'402'300'799'999)), "/d/t/dt=9999-12-31/hour=23");
}

}  // namespace
}  // namespace talosmq::sink
