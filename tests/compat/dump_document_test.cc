// docs/formats/dump.md says what the code does: its line of JSON, its names and its stored record.

#include "record/batch.h"
#include "sink/file_name.h"
#include "sink/format.h"
#include "sink/task_record.h"
#include "support/memory_record_source.h"

#include "compat/hex_file.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::compat {
namespace {

constexpr int64_t kSixOClockMs = 1'795'327'200'000;

std::string Page() { return ReadRepositoryFile("docs/formats/dump.md"); }

sink::TaskRecord ExampleTask() {
  sink::TaskRecord task;
  task.epoch = 7;
  task.claim = 0x0123456789abcdef;
  task.topic_id = *TopicId::Parse("1f3a9c04-5b6d-4e8f-9a0b-1c2d3e4f5061");
  task.next_offset = Offset(1200);
  task.files_published = 3;
  task.records_published = 1200;
  task.bytes_published = 345'678;
  task.offsets_skipped = 5;
  task.intent = sink::Intent{.epoch = 7, .next_offset = Offset(2000), .files = {}};
  task.intent->files.push_back({.ordinal = 4,
                                .hour = sink::HourOf(kSixOClockMs),
                                .first = Offset(1200),
                                .last = Offset(1999),
                                .records = 800,
                                .bytes = 70'000});
  return task;
}

TEST(DumpDocumentTest, ExampleRecordIsWhatWeWriteAndRead) {
  const std::string bytes = BytesOfHex(FencedBlock(Page(), "hex"));
  EXPECT_EQ(sink::EncodeTaskRecord(ExampleTask()), bytes);
  const auto decoded = sink::DecodeTaskRecord(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, ExampleTask());
}

TEST(DumpDocumentTest, ExampleNameIsTheOneOfTheExampleRecord) {
  const sink::TaskRecord task = ExampleTask();
  const sink::FileNames names("", "orders",
                              {.topic_id = task.topic_id, .partition = PartitionId(0)}, "json");
  const std::string name = names.Published(task.intent->files[0]);
  EXPECT_NE(Page().find("`" + name.substr(1) + "`"), std::string::npos) << name;
  EXPECT_NE(Page().find(";     .7-4.json"), std::string::npos);
}

TEST(DumpDocumentTest, ExampleLineIsWhatWeWrite) {
  const std::vector<record::HeaderInput> headers = {{.key = "trace", .value = "7"},
                                                    {.key = "trace", .value = std::nullopt}};
  const base::Buffer batch =
      support::MemoryRecordSource::MakeBatch(Offset(1200),
                                             {{.timestamp_ms = kSixOClockMs,
                                               .key = "c-17",
                                               .value = std::string_view("\0\xff", 2),
                                               .headers = headers}},
                                             record::Codec::kNone);
  auto reader = record::BatchReader::Open(batch.bytes(), {});
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto view = reader->Next();
  ASSERT_TRUE(view.ok() && view->has_value());
  std::string line;
  sink::MakeFormat(sink::FormatKind::kJson)
      ->Append({.topic = "orders",
                .partition = PartitionId(0),
                .timestamp_type = record::TimestampType::kCreateTime,
                .record = **view},
               line);
  EXPECT_EQ(line, FencedBlock(Page(), "json"));
}

}  // namespace
}  // namespace talosmq::compat
