#include "base/bytes.h"
#include "cli/delivery_tally.h"
#include "cli/empty_reading.h"
#include "cli/line_reader.h"
#include "cli/read_plan.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Gives `text` in pieces of at most `piece` bytes.
LineReader::ReadBytes Pieces(std::string text, size_t piece) {
  return [text = std::move(text), piece, done = size_t{0}](base::MutableByteSpan into) mutable {
    const size_t size = std::min({piece, into.size(), text.size() - done});
    std::memcpy(into.data(), text.data() + done, size);
    done += size;
    return absl::StatusOr<size_t>(size);
  };
}

/// All lines, then the error if there was one.
std::vector<std::string> LinesOf(LineReader& reader, absl::Status* error = nullptr) {
  std::vector<std::string> lines;
  while (true) {
    const auto line = reader.Next();
    if (!line.ok()) {
      if (error != nullptr) *error = line.status();
      return lines;
    }
    if (!line->has_value()) return lines;
    lines.emplace_back(**line);
  }
}

TEST(LineReaderTest, LineBeyondTheBoundIsRefusedByNumber) {
  for (const size_t piece : {size_t{1}, size_t{100}}) {
    LineReader reader(Pieces("ok\n12345\n123456\n", piece), 5);
    absl::Status error;
    EXPECT_THAT(LinesOf(reader, &error), ElementsAre("ok", "12345"));
    EXPECT_EQ(ReasonOf(error), Reason::kInvalidArgument);
    EXPECT_THAT(std::string(error.message()), HasSubstr("line 3"));
  }
}

TEST(LineReaderTest, EndlessLineIsRefusedWithoutBeingHeld) {
  LineReader reader(
      [](base::MutableByteSpan into) {
        std::fill(into.begin(), into.end(), std::byte{'x'});
        return absl::StatusOr<size_t>(into.size());
      },
      1 << 20);
  EXPECT_FALSE(reader.Next().ok());
}

TEST(LineReaderTest, ErrorOfTheSourceIsPassedOn) {
  LineReader reader(
      [](base::MutableByteSpan) -> absl::StatusOr<size_t> {
        return MakeError(Reason::kCancelled, "stop");
      },
      100);
  EXPECT_EQ(ReasonOf(reader.Next().status()), Reason::kCancelled);
}

TEST(LineReaderTest, NothingHoldsNoLine) {
  LineReader reader(Pieces("", 8), 100);
  EXPECT_THAT(LinesOf(reader), ElementsAre());
}

TEST(LineReaderTest, EmptyLinesAndALastOneWithoutNewlineCount) {
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{100}}) {
    LineReader reader(Pieces("\na\n\nb", piece), 100);
    EXPECT_THAT(LinesOf(reader), ElementsAre("", "a", "", "b"));
    EXPECT_EQ(reader.line_number(), 4);
  }
}

TEST(LineReaderTest, LinesLongerThanABlockArriveWhole) {
  const std::string big(700'000, 'x');
  LineReader reader(Pieces("a\n" + big + "\nb\n", 65'536), 1 << 20);
  EXPECT_THAT(LinesOf(reader), ElementsAre("a", big, "b"));
}

LogExtent Log(int32_t partition, int64_t start, int64_t end) {
  return {.partition = PartitionId(partition),
          .start = Offset(start),
          .end = Offset(end),
          .from_time = {},
          .to_time = {}};
}

std::string Describe(const ReadPlan& plan) {
  std::string text;
  for (const PartitionPlan& partition : plan.partitions) {
    text += std::to_string(partition.partition.value()) + ":" +
            std::to_string(partition.begin.value()) + ".." +
            (partition.stop.has_value() ? std::to_string(partition.stop->value()) : "") + " ";
  }
  return text;
}

TEST(ReadPlanTest, OffsetBeyondEveryEndIsRefused) {
  const auto plan =
      PlanRead({.from = Offset(11), .to = {}}, {Log(0, 0, 10), Log(1, 0, 3)}, AtLogEnd::kWait);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(ReasonOf(plan.status()), Reason::kOffsetOutOfRange);
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("partition 1 ends at 3"));
}

TEST(ReadPlanTest, PartitionThatEndsBeforeIsLeftOutWithANote) {
  const auto plan = PlanRead({.from = Offset(5), .to = Offset(7)}, {Log(0, 0, 10), Log(1, 0, 3)},
                             AtLogEnd::kWait);
  EXPECT_EQ(Describe(*plan), "0:5..7 ");
  EXPECT_THAT(plan->notes, ElementsAre(HasSubstr("partition 1 ends at 3")));
}

TEST(ReadPlanTest, OffsetThatIsGoneBecomesTheStartWithANote) {
  const auto plan = PlanRead({.from = Offset(5), .to = {}}, {Log(0, 100, 200)}, AtLogEnd::kWait);
  EXPECT_EQ(Describe(*plan), "0:100.. ");
  EXPECT_THAT(plan->notes, ElementsAre(HasSubstr("begins at 100")));
}

TEST(ReadPlanTest, LastRecordsNeverReachBelowTheStart) {
  const std::vector<LogExtent> logs = {Log(0, 0, 10), Log(1, 7, 10), Log(2, 0, 0)};
  const auto plan = PlanRead({.from = BeforeEnd{4}, .to = {}}, logs, AtLogEnd::kStop);
  EXPECT_EQ(Describe(*plan), "0:6..10 1:7..10 2:0..0 ");
  EXPECT_THAT(plan->notes, ElementsAre());
}

TEST(ReadPlanTest, WaitingForMoreHasAStopOnlyWhereOneWasAsked) {
  const std::vector<LogExtent> logs = {Log(0, 2, 10)};
  EXPECT_EQ(Describe(*PlanRead({}, logs, AtLogEnd::kWait)), "0:2.. ");
  EXPECT_EQ(Describe(*PlanRead({.from = AtEnd{}, .to = {}}, logs, AtLogEnd::kWait)), "0:10.. ");
  EXPECT_EQ(Describe(*PlanRead({.from = Offset(5), .to = Offset(50)}, logs, AtLogEnd::kWait)),
            "0:5..50 ");
  EXPECT_EQ(Describe(*PlanRead({.from = Offset(5), .to = Offset(50)}, logs, AtLogEnd::kStop)),
            "0:5..10 ");
}

TEST(ReadPlanTest, TimesStandWhereTheyWereFound) {
  LogExtent log = Log(0, 0, 10);
  log.from_time = Offset(4);
  log.to_time = Offset(8);
  const OffsetRange range{.from = absl::UnixEpoch(), .to = absl::UnixEpoch() + absl::Seconds(1)};
  EXPECT_EQ(Describe(*PlanRead(range, {log}, AtLogEnd::kWait)), "0:4..8 ");
}

TEST(ReadPlanTest, RangesMayEndBeforeTheEnd) {
  const std::vector<LogExtent> logs = {Log(0, 0, 10), Log(1, 8, 9)};
  EXPECT_EQ(Describe(*PlanRead({.from = BeforeEnd{5}, .to = BeforeEnd{2}}, logs, AtLogEnd::kWait)),
            "0:5..8 1:8..8 ");
  EXPECT_EQ(Describe(*PlanRead({.from = AtStart{}, .to = AtEnd{}}, logs, AtLogEnd::kWait)),
            "0:0..10 1:8..9 ");
}

OffsetRange Times(int64_t from_s, std::optional<int64_t> to_s) {
  OffsetRange range{.from = absl::FromUnixSeconds(from_s), .to = {}};
  if (to_s.has_value()) range.to = absl::FromUnixSeconds(*to_s);
  return range;
}

TEST(EmptyReadingTest, LogsWithoutRecordsAreTheReason) {
  EXPECT_EQ(WhyNothingWasRead("topic 't'", "start", {}, {Log(0, 0, 0), Log(1, 0, 0)}),
            "topic 't' holds no records");
  EXPECT_EQ(WhyNothingWasRead("topic 't'", "start", {}, {Log(0, 0, 0), Log(1, 7, 7)}),
            "topic 't' holds no records any more");
}

TEST(EmptyReadingTest, TimesOutsideOfTheLogAreToldByTheTime) {
  LogExtent after = Log(0, 0, 10);
  after.from_time = Offset(10);
  EXPECT_EQ(WhyNothingWasRead("topic 't'", "@0", Times(0, std::nullopt), {after, Log(1, 0, 0)}),
            "no record of topic 't' is stamped at or after 1970-01-01T00:00:00.000Z");
  LogExtent before = Log(0, 5, 10);
  before.from_time = Offset(5);
  before.to_time = Offset(5);
  EXPECT_EQ(WhyNothingWasRead("topic 't'", "@0..@60", Times(0, 60), {before}),
            "no record of topic 't' is stamped before 1970-01-01T00:01:00.000Z");
  LogExtent between = Log(0, 0, 10);
  between.from_time = Offset(5);
  between.to_time = Offset(5);
  EXPECT_THAT(WhyNothingWasRead("topic 't'", "@0..@60", Times(0, 60), {between}),
              HasSubstr("none of the 10 records of topic 't' lies in the range @0..@60"));
}

TEST(EmptyReadingTest, OffsetsThatThereAreAreToldOfAFewPartitions) {
  const OffsetRange range{.from = Offset(10), .to = Offset(20)};
  EXPECT_EQ(WhyNothingWasRead("topic 't'", "10..20", range, {Log(0, 4, 10), Log(1, 7, 7)}),
            "none of the 6 records of topic 't' lies in the range 10..20 (offsets of partition 0: "
            "4 to 9, partition 1: none)");
  EXPECT_THAT(
      WhyNothingWasRead("topic 't'", "10..20", range,
                        {Log(0, 0, 1), Log(1, 0, 1), Log(2, 0, 1), Log(3, 0, 1), Log(4, 0, 1)}),
      HasSubstr("partition 3: 0 to 0, ...)"));
  EXPECT_EQ(WhyNothingWasRead("topic 't'", "end", {.from = AtEnd{}, .to = {}}, {Log(0, 0, 1)}),
            "the range end begins after the last record of topic 't'");
}

std::vector<Delivery> Batch(uint64_t first_tag, int64_t offset, size_t count,
                            const absl::Status& status) {
  std::vector<Delivery> batch;
  for (size_t i = 0; i < count; ++i) {
    batch.push_back({.tag = first_tag + i,
                     .partition = PartitionId(2),
                     .offset = Offset(offset < 0 ? -1 : offset + static_cast<int64_t>(i)),
                     .status = status});
  }
  return batch;
}

TEST(DeliveryTallyTest, FirstFailureIsKeptWithItsLine) {
  int told = 0;
  DeliveryTally tally([&told](const AcknowledgedBatch&) { ++told; });
  tally.Count(Batch(1, 0, 10, absl::OkStatus()));
  tally.Count(Batch(11, -1, 5, MakeError(Reason::kMaybeStored, "first")));
  tally.Count(Batch(16, -1, 5, MakeError(Reason::kClosed, "second")));
  tally.CountRefused(21, MakeError(Reason::kInvalidArgument, "third"));
  for (int line = 1; line <= 25; ++line) tally.NoteAccepted();
  const DeliveryTally::Totals totals = tally.totals();
  EXPECT_EQ(totals.accepted, 25);
  EXPECT_EQ(totals.acknowledged, 10);
  EXPECT_EQ(totals.not_acknowledged, 11);
  EXPECT_EQ(totals.first_failed_line, 11U);
  EXPECT_EQ(ReasonOf(totals.first_failure), Reason::kMaybeStored);
  EXPECT_EQ(told, 1);
}

TEST(DeliveryTallyTest, WhatMayBeStoredIsNotCountedAsLost) {
  DeliveryTally tally(nullptr);
  for (int i = 0; i < 3; ++i) tally.NoteAccepted();
  tally.CountRefused(4, MakeError(Reason::kInvalidArgument, "no delimiter"));
  const std::vector<Delivery> unknown = {
      {.tag = 1, .partition = {}, .offset = {}, .status = MakeError(Reason::kMaybeStored, "lost")}};
  const std::vector<Delivery> late = {
      {.tag = 2,
       .partition = {},
       .offset = {},
       .status = MakeError(Reason::kDeadlineExceeded, "never sent")}};
  tally.Count(unknown);
  tally.Count(late);
  EXPECT_EQ(tally.totals().not_acknowledged, 3);
  EXPECT_EQ(tally.totals().certainly_not_stored, 1);
}

TEST(DeliveryTallyTest, EachAcknowledgedBatchIsToldWithItsOffsets) {
  std::vector<AcknowledgedBatch> told;
  DeliveryTally tally([&told](const AcknowledgedBatch& batch) { told.push_back(batch); });
  tally.Count(Batch(1, 100, 3, absl::OkStatus()));
  tally.Count(Batch(4, -1, 3, absl::OkStatus()));  // acks=none: nothing to tell.
  tally.Count({});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].partition, PartitionId(2));
  EXPECT_EQ(told[0].first_offset, Offset(100));
  EXPECT_EQ(told[0].last_offset, Offset(102));
  EXPECT_EQ(told[0].count, 3);
}

}  // namespace
}  // namespace talosmq::cli
