#include "sink/task_record.h"

#include "metadata/metadata_store.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <string>

namespace talosmq::sink {
namespace {

TaskRecord SampleTask() {
  TaskRecord task;
  task.epoch = 7;
  task.claim = 0x0123456789abcdef;
  task.topic_id = *TopicId::Parse("1f3a9c04-5b6d-4e8f-9a0b-1c2d3e4f5061");
  task.next_offset = Offset(1200);
  task.files_published = 3;
  task.records_published = 1200;
  task.bytes_published = 345'678;
  task.offsets_skipped = 11;
  Intent intent{.epoch = 7, .next_offset = Offset(2000), .files = {}};
  intent.files.push_back({.ordinal = 4,
                          .hour = 498'702,
                          .first = Offset(1200),
                          .last = Offset(1999),
                          .records = 799,
                          .bytes = 70'000});
  intent.files.push_back({.ordinal = 5,
                          .hour = std::nullopt,
                          .first = Offset(1500),
                          .last = Offset(1500),
                          .records = 1,
                          .bytes = 90});
  task.intent = intent;
  return task;
}

JobRecord SampleJob() {
  JobRecord job;
  job.definition = {.name = "nightly",
                    .topic = "orders",
                    .target = "file:///srv/lake",
                    .format = FormatKind::kRaw,
                    .roll = {.bytes = 4096, .records = 10, .age = absl::Seconds(1)},
                    .on_corrupt = OnCorrupt::kSkip};
  job.topic_id = SampleTask().topic_id;
  job.phase = JobPhase::kFailed;
  job.error = "disk full";
  job.claim = 42;
  return job;
}

TEST(TaskRecordTest, ComesBackAsItWas) {
  const auto decoded = DecodeTaskRecord(EncodeTaskRecord(SampleTask()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, SampleTask());
}

TEST(TaskRecordTest, LargestRecordFitsTheStore) {
  TaskRecord task = SampleTask();
  task.intent->files.assign(kOpenFilesMax, task.intent->files[0]);
  EXPECT_LT(EncodeTaskRecord(task).size(), metadata::kValueBytesMax);
}

TEST(TaskRecordTest, EveryCutIsCorrupt) {
  const std::string bytes = EncodeTaskRecord(SampleTask());
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_EQ(ReasonOf(DecodeTaskRecord(bytes.substr(0, size)).status()), Reason::kCorruptData)
        << size;
  }
  EXPECT_EQ(ReasonOf(DecodeTaskRecord(bytes + "x").status()), Reason::kCorruptData);
}

TEST(TaskRecordTest, AnotherVersionIsRefusedByNumber) {
  std::string bytes = EncodeTaskRecord(SampleTask());
  bytes[0] = 3;
  const auto decoded = DecodeTaskRecord(bytes);
  EXPECT_EQ(ReasonOf(decoded.status()), Reason::kUnsupportedVersion);
  EXPECT_NE(decoded.status().message().find("found 3"), std::string::npos);
  EXPECT_EQ(ReasonOf(DecodeTaskRecord("").status()), Reason::kUnsupportedVersion);
}

TEST(TaskRecordTest, FirstVersionIsReadAsNothingSkipped) {
  TaskRecord task = SampleTask();
  std::string bytes = EncodeTaskRecord(task);
  bytes[0] = 1;
  bytes.erase(1 + 8 + 8 + 16 + 8 + 3 * 8, 8);
  task.offsets_skipped = 0;
  const auto decoded = DecodeTaskRecord(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, task);
}

TEST(TaskRecordTest, FilesThatContradictTheirIntentAreCorrupt) {
  TaskRecord task = SampleTask();
  task.intent->next_offset = Offset(1999);  // Not beyond the last record of a file.
  EXPECT_EQ(ReasonOf(DecodeTaskRecord(EncodeTaskRecord(task)).status()), Reason::kCorruptData);
  task = SampleTask();
  task.intent->epoch = 8;  // Of a worker that has never been.
  EXPECT_EQ(ReasonOf(DecodeTaskRecord(EncodeTaskRecord(task)).status()), Reason::kCorruptData);
  task = SampleTask();
  task.intent->files[0].records = 801;  // More than its range has offsets.
  EXPECT_EQ(ReasonOf(DecodeTaskRecord(EncodeTaskRecord(task)).status()), Reason::kCorruptData);
}

TEST(JobRecordTest, ComesBackAsItWas) {
  const auto decoded = DecodeJobRecord(EncodeJobRecord(SampleJob()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, SampleJob());
}

TEST(JobRecordTest, FirstVersionIsReadAsOneThatFails) {
  JobRecord job = SampleJob();
  std::string bytes = EncodeJobRecord(job);
  bytes[0] = 1;
  bytes.erase(bytes.size() - job.error.size() - 2 - 1, 1);
  job.definition.on_corrupt = OnCorrupt::kFail;
  const auto decoded = DecodeJobRecord(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, job);
}

TEST(JobRecordTest, EveryCutIsCorrupt) {
  const std::string bytes = EncodeJobRecord(SampleJob());
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_EQ(ReasonOf(DecodeJobRecord(bytes.substr(0, size)).status()), Reason::kCorruptData)
        << size;
  }
}

TEST(JobRecordTest, NamesThatWouldLeaveTheTargetAreCorrupt) {
  JobRecord job = SampleJob();
  job.definition.topic = "../x";
  EXPECT_EQ(ReasonOf(DecodeJobRecord(EncodeJobRecord(job)).status()), Reason::kCorruptData);
  job = SampleJob();
  job.definition.target = "x";
  EXPECT_EQ(ReasonOf(DecodeJobRecord(EncodeJobRecord(job)).status()), Reason::kCorruptData);
}

}  // namespace
}  // namespace talosmq::sink
