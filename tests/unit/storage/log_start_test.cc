// How the start of a log moves, and what readers see of it.

#include "storage/local_log.h"
#include "storage/segment.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;

class LogStartTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.log_options().segment_bytes = 4'000;
    Start();
  }

  void Start() {
    ASSERT_TRUE(world_.Start().ok());
    Open();
  }
  void Open() {
    const auto report = world_.Open();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(report->notes, testing::IsEmpty());
  }

  /// Records of 900 bytes, four to a segment, stamped 1, 2, 3 and so on.
  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      std::string value = std::to_string(next_) + ":";
      value.resize(900, 'v');
      ASSERT_TRUE(world_.AppendDurably({.values = {value}, .timestamp_ms = ++next_}).ok());
    }
  }

  bool HasSegment(int64_t base) {
    return world_.Exists(world_.Path(OffsetFileName(Offset(base), kSegmentSuffix)));
  }
  bool HasIndex(int64_t base) {
    return world_.Exists(world_.Path(OffsetFileName(Offset(base), kIndexSuffix)));
  }

  void ExpectRecords(int64_t begin, int64_t end) {
    EXPECT_EQ(world_.log().log_start(), Offset(begin));
    const auto records = world_.ReadAll();
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(static_cast<int64_t>(records->size()), end - begin);
    for (const auto& record : *records) {
      EXPECT_TRUE(record.value.starts_with(std::to_string(record.offset.value()) + ":"));
    }
  }

  StorageWorld world_;
  int64_t next_ = 0;
};

TEST_F(LogStartTest, MovesAndTakesWholeSegmentsAlong) {
  Append(10);
  const int64_t bytes = world_.log().size_bytes();
  ASSERT_TRUE(world_.MoveLogStart(Offset(5)).ok());
  ExpectRecords(5, 10);
  EXPECT_FALSE(HasSegment(0));
  EXPECT_FALSE(HasIndex(0));
  EXPECT_TRUE(HasSegment(4)) << "it holds offset 5";
  EXPECT_EQ(world_.log().size_bytes(), bytes * 6 / 10);
  EXPECT_EQ(world_.log().lifetime_bytes(), bytes);
}

TEST_F(LogStartTest, IsDurableBeforeItIsSeen) {
  Append(10);
  bool is_answered = false;
  world_.log().MoveLogStart(Offset(9), [&](absl::Status status) {
    EXPECT_TRUE(status.ok()) << status;
    is_answered = true;
  });
  EXPECT_EQ(world_.log().log_start(), Offset(0));
  while (!is_answered) ASSERT_TRUE(world_.RunOne());
  EXPECT_EQ(world_.log().log_start(), Offset(9));
  EXPECT_TRUE(HasSegment(0)) << "files go behind the answer";
  world_.CutPower(PowerCut::DropUnsynced());
  Start();
  ExpectRecords(9, 10);
  EXPECT_FALSE(HasSegment(0));
  EXPECT_FALSE(HasSegment(4));
}

TEST_F(LogStartTest, SegmentsGoOneAtATime) {
  Append(13);
  bool is_answered = false;
  world_.log().MoveLogStart(Offset(12), [&](const absl::Status&) { is_answered = true; });
  while (!is_answered) ASSERT_TRUE(world_.RunOne());
  int left = 3;
  while (world_.RunOne()) {
    const int now = int{HasSegment(0)} + int{HasSegment(4)} + int{HasSegment(8)};
    EXPECT_GE(now, left - 1);
    left = now;
  }
  EXPECT_EQ(left, 0);
}

TEST_F(LogStartTest, MayReachTheEndAndTheLogGoesOnThere) {
  Append(3);
  ASSERT_TRUE(world_.MoveLogStart(Offset(3)).ok());
  ExpectRecords(3, 3);
  EXPECT_TRUE(HasSegment(0)) << "the newest segment stays";
  ASSERT_TRUE(world_.Stop().ok());
  Start();
  ExpectRecords(3, 3);
  Append(2);
  ExpectRecords(3, 5);
}

TEST_F(LogStartTest, BelowTheOldOneIsNothing) {
  Append(5);
  ASSERT_TRUE(world_.MoveLogStart(Offset(4)).ok());
  const uint64_t changes = world_.disk().changes();
  EXPECT_TRUE(world_.MoveLogStart(Offset(2)).ok());
  EXPECT_EQ(world_.disk().changes(), changes);
  ExpectRecords(4, 5);
}

TEST_F(LogStartTest, CountsTheLifeOfTheLogAcrossRestarts) {
  Append(10);
  const int64_t bytes = world_.log().size_bytes();
  ASSERT_TRUE(world_.MoveLogStart(Offset(8)).ok());
  ASSERT_TRUE(world_.Stop().ok());
  Start();
  EXPECT_EQ(world_.log().lifetime_bytes(), bytes);
  EXPECT_EQ(world_.log().size_bytes(), bytes * 2 / 10);
  Append(1);
  EXPECT_EQ(world_.log().lifetime_bytes(), bytes * 11 / 10);
}

TEST_F(LogStartTest, StaysWhenItCannotBeRecorded) {
  Append(10);
  world_.disk().FailNth(DiskCall::kRename, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.MoveLogStart(Offset(5)).ok());
  ExpectRecords(0, 10);
  EXPECT_TRUE(HasSegment(0));
  EXPECT_TRUE(world_.MoveLogStart(Offset(5)).ok()) << "the checkpoint is written anew";
  ExpectRecords(5, 10);
}

TEST_F(LogStartTest, SegmentThatCannotBeRemovedGoesAtTheNextStart) {
  Append(10);
  world_.disk().FailNth(DiskCall::kRemove, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_TRUE(world_.MoveLogStart(Offset(5)).ok());
  ExpectRecords(5, 10);
  EXPECT_TRUE(HasSegment(0));
  ASSERT_TRUE(world_.Stop().ok());
  Start();
  ExpectRecords(5, 10);
  EXPECT_FALSE(HasSegment(0));
}

TEST_F(LogStartTest, FencedLogRefusesToMove) {
  Append(2);
  world_.disk().FailNth(DiskCall::kSync, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.AppendDurably({.values = {"lost"}}).ok());
  EXPECT_EQ(ReasonOf(world_.MoveLogStart(Offset(1))), Reason::kStorageFenced);
  EXPECT_EQ(world_.log().log_start(), Offset(0));
}

TEST_F(LogStartTest, WhatIsInTheJournalOnlyIsBroughtToItsSegmentFirst) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().direct_logs_max = 0;
  Start();
  Append(10);
  EXPECT_FALSE(HasSegment(0));
  ASSERT_TRUE(world_.MoveLogStart(Offset(9)).ok());
  EXPECT_TRUE(HasSegment(8));
  world_.CutPower(PowerCut::DropUnsynced());
  Start();
  ExpectRecords(9, 10);
  Append(1);
  ExpectRecords(9, 11);
}

TEST_F(LogStartTest, MovesThatWaitForTheSameWriteBackAreAllAnswered) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().direct_logs_max = 0;
  Start();
  Append(10);
  int answers = 0;
  for (const int64_t start : {3, 9, 5}) {
    world_.log().MoveLogStart(Offset(start), [&](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      ++answers;
    });
  }
  world_.Run();
  EXPECT_EQ(answers, 3);
  ExpectRecords(9, 10);
  EXPECT_TRUE(world_.Stop().ok());
  Start();
  ExpectRecords(9, 10);
}

// The move waited for a moment at which the journal held nothing of the log, and with a batch for
// each write-back there is none.
TEST_F(LogStartTest, MovesWhileTheLogIsAppendedToAllTheTime) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().direct_logs_max = 0;
  Start();
  Append(5);
  bool is_answered = false;
  const auto append = [&] {
    std::string value = std::to_string(next_) + ":";
    value.resize(900, 'v');
    ASSERT_TRUE(world_.Append({.values = {value}, .timestamp_ms = ++next_}).ok());
  };
  world_.log().MoveLogStart(Offset(5), [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    is_answered = true;
  });
  for (int write_backs = 0; write_backs < 20 && !is_answered; ++write_backs) {
    append();
    world_.RunWithoutWriteBack();
    world_.RunOne();  // The write-back, while what was appended is in the journal.
    world_.RunWithoutWriteBack();
  }
  EXPECT_TRUE(is_answered);
  world_.Run();
  ExpectRecords(5, next_);
}

TEST_F(LogStartTest, MoveThatWaitsFailsWithTheLog) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().direct_logs_max = 0;
  Start();
  Append(5);
  world_.disk().SetFaultHook([](DiskCall call, const std::string& path) {
    const bool is_segment = path.ends_with(kSegmentSuffix);
    return call == DiskCall::kWrite && is_segment ? MemoryFileSystem::IoError(path)
                                                  : absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(world_.MoveLogStart(Offset(4))), Reason::kStorageFenced);
  EXPECT_EQ(world_.log().log_start(), Offset(0));
  world_.disk().SetFaultHook(nullptr);
}

TEST_F(LogStartTest, SegmentStaysUntilTheNextOneIsOnTheDisk) {
  Append(4);
  std::string value = "4:";
  value.resize(900, 'v');
  ASSERT_TRUE(world_.Append({.values = {value}, .timestamp_ms = ++next_}).ok());
  bool is_answered = false;
  world_.log().MoveLogStart(Offset(4), [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    is_answered = true;
  });
  world_.RunWithoutFlush();
  EXPECT_TRUE(is_answered);
  EXPECT_TRUE(HasSegment(0)) << "else nothing would show that the log has ever been";
  world_.CutPower(PowerCut::DropUnsynced());
  Start();
  ExpectRecords(4, 4);
  --next_;
  Append(2);
  ASSERT_TRUE(world_.MoveLogStart(Offset(5)).ok());
  EXPECT_FALSE(HasSegment(0));
  ExpectRecords(5, 6);
}

TEST_F(LogStartTest, SegmentWithTheFlushedPointIsMissedByNobodyWhenItsRecordsAreGone) {
  Append(4);
  ASSERT_TRUE(world_.MoveLogStart(Offset(4)).ok());
  std::string value = "4:";
  value.resize(900, 'v');
  ASSERT_TRUE(world_.Append({.values = {value}, .timestamp_ms = ++next_}).ok());
  world_.RunWithoutCheckpoint();
  EXPECT_TRUE(HasSegment(4));
  world_.Kill();
  Start();
  EXPECT_TRUE(world_.store().health().ok()) << world_.store().health();
  ExpectRecords(4, 5);
}

// The checkpoint that has the new start says that the log ends in the segment before.
TEST_F(LogStartTest, SegmentThatIsCompletedWhileTheStartMovesStays) {
  Append(8);
  bool is_first = true;
  world_.disk().SetFaultHook([&](DiskCall call, const std::string&) {
    if (call == DiskCall::kRename && std::exchange(is_first, false)) {
      EXPECT_TRUE(world_.Append({.values = {std::string(900, 'v')}, .timestamp_ms = ++next_}).ok());
      world_.RunWithoutCheckpoint();
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(world_.MoveLogStart(Offset(8)).ok());
  EXPECT_FALSE(HasSegment(0));
  EXPECT_TRUE(HasSegment(4)) << "the end that is recorded lies in it";
  EXPECT_TRUE(HasSegment(8));
  world_.Advance(absl::Seconds(2));
  world_.Run();
  EXPECT_TRUE(world_.last_told().ok()) << world_.last_told();
  ASSERT_TRUE(world_.MoveLogStart(Offset(8)).ok());
  EXPECT_FALSE(HasSegment(4)) << "although the start is there already";
  EXPECT_TRUE(HasSegment(8));
}

TEST_F(LogStartTest, LogThatIsOpenedAgainStartsWhereTheDiskSays) {
  Append(10);
  world_.disk().FailNth(DiskCall::kRename, 1, MemoryFileSystem::IoError("disk"));
  EXPECT_FALSE(world_.MoveLogStart(Offset(9)).ok());
  ASSERT_TRUE(world_.Close().ok());
  Open();
  ExpectRecords(0, 10);
  EXPECT_TRUE(HasSegment(0)) << "nothing goes before its removal is on the disk";
}

TEST_F(LogStartTest, TimeIsLookedForFromTheStartOn) {
  Append(10);  // Offset n is stamped n + 1.
  ASSERT_TRUE(world_.MoveLogStart(Offset(5)).ok());
  EXPECT_EQ(*world_.FindOffset(1), Offset(5));
  EXPECT_EQ(*world_.FindOffset(6), Offset(5));
  EXPECT_EQ(*world_.FindOffset(7), Offset(6));
  EXPECT_EQ(*world_.FindOffset(11), Offset(10));
}

TEST_F(LogStartTest, TimeInsideOfABatchThatTheStartCuts) {
  ASSERT_TRUE(world_.AppendDurably({.values = {"a", "b", "c"}, .timestamp_ms = 50}).ok());
  ASSERT_TRUE(world_.MoveLogStart(Offset(2)).ok());
  EXPECT_EQ(*world_.FindOffset(50), Offset(2));
  const auto read = world_.Read(Offset(2));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(support::RecordsIn(read->chunks, Offset(2)).size(), 1U);
  EXPECT_EQ(ReasonOf(world_.Read(Offset(1)).status()), Reason::kOffsetOutOfRange);
}

TEST_F(LogStartTest, AnswerOfAQueryThatTheStartHasOvertakenHoldsForTheNewStart) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().tail_cache_bytes_max = 1;
  Start();
  Append(10);
  for (int64_t steps = 0; world_.log().log_start() < Offset(9); ++steps) {
    std::optional<absl::StatusOr<Offset>> answer;
    const Offset start = world_.log().log_start() + 1;
    world_.log().FindOffset(absl::FromUnixMillis(1), Offset(10), [&](absl::StatusOr<Offset> found) {
      EXPECT_EQ(*found, world_.log().log_start());
      answer = std::move(found);
    });
    world_.log().MoveLogStart(start, [&](const absl::Status& status) { EXPECT_TRUE(status.ok()); });
    for (int64_t i = 0; i < steps; ++i) world_.RunOne();
    world_.Run();
    ASSERT_TRUE(answer && answer->ok());
  }
}

TEST_F(LogStartTest, AnswerIsNotBelowAStartThatHasOvertakenAllThatWasSearched) {
  Append(12);
  world_.log().MoveLogStart(Offset(12), [](const absl::Status&) {});
  std::optional<absl::StatusOr<Offset>> answer;
  world_.log().FindOffset(absl::FromUnixMillis(1), Offset(10),
                          [&](absl::StatusOr<Offset> found) { answer = std::move(found); });
  EXPECT_EQ(world_.log().log_start(), Offset(0));
  world_.Run();
  ASSERT_TRUE(answer && answer->ok());
  EXPECT_EQ(**answer, Offset(12));
}

TEST_F(LogStartTest, ReadersUnderWayKeepWhatTheyAskedFor) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.store_options().tail_cache_bytes_max = 1;
  Start();
  Append(10);
  absl::StatusOr<ReadResult> early = absl::InternalError("no answer");
  world_.log().Read({.offset = Offset(0), .limit = Offset(10), .bytes_max = 100},
                    [&](absl::StatusOr<ReadResult> read) { early = std::move(read); });
  ASSERT_TRUE(world_.MoveLogStart(Offset(9)).ok());
  ASSERT_TRUE(early.ok()) << early.status();
  EXPECT_EQ(support::RecordsIn(early->chunks, Offset(0)).front().offset, Offset(0));
}

TEST_F(LogStartTest, RetentionBySizeGoesOnAsTheLogGrows) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.log_options().retention.bytes_max = 5'000;
  Start();
  Append(10);
  ASSERT_TRUE(world_.ApplyRetention().ok());
  ExpectRecords(4, 10);
  Append(4);
  ASSERT_TRUE(world_.ApplyRetention().ok());
  ExpectRecords(8, 14);
}

TEST_F(LogStartTest, IdleLogIsEmptiedByAge) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.log_options().retention.age_max = absl::Hours(1);
  Start();
  Append(10);
  world_.Advance(absl::Minutes(59));
  ASSERT_TRUE(world_.ApplyRetention().ok());
  ExpectRecords(0, 10);
  world_.Advance(absl::Minutes(2));
  ASSERT_TRUE(world_.ApplyRetention().ok());
  EXPECT_TRUE(HasSegment(10)) << "a new one was begun";
  world_.Advance(absl::Minutes(61));
  ASSERT_TRUE(world_.ApplyRetention().ok());
  ExpectRecords(10, 10);
  EXPECT_FALSE(HasSegment(8));
  world_.CutPower(PowerCut::DropUnsynced());
  Start();
  ExpectRecords(10, 10);
  const uint64_t changes = world_.disk().changes();
  world_.Advance(absl::Hours(100));
  ASSERT_TRUE(world_.ApplyRetention().ok());
  EXPECT_EQ(world_.disk().changes(), changes) << "an empty log is left alone";
  Append(1);
  ExpectRecords(10, 11);
}

TEST_F(LogStartTest, WrongTimestampsNeitherKeepNorDelete) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.log_options().retention.age_max = absl::Hours(1);
  Start();
  const int64_t now_ms = absl::ToUnixMillis(world_.clock().Now());
  // Microseconds and seconds in place of milliseconds, and none at all (R24).
  for (const int64_t timestamp_ms : {now_ms * 1000, now_ms / 1000, int64_t{-1}, int64_t{0}}) {
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(
          world_.AppendDurably({.values = {std::string(1'500, 'v')}, .timestamp_ms = timestamp_ms})
              .ok());
    }
  }
  ASSERT_TRUE(world_.ApplyRetention().ok());
  EXPECT_EQ(world_.log().log_start(), Offset(0)) << "young, whatever it is stamped";
  world_.Advance(absl::Minutes(61));
  ASSERT_TRUE(world_.ApplyRetention().ok());
  EXPECT_EQ(world_.log().log_start(), Offset(6)) << "old, whatever it is stamped";
}

TEST_F(LogStartTest, LostCheckpointLeavesTheRecordsThatAreThere) {
  Append(10);
  ASSERT_TRUE(world_.MoveLogStart(Offset(5)).ok());
  ASSERT_TRUE(world_.Stop().ok());
  world_.RemoveFile("data/checkpoint");
  ASSERT_TRUE(world_.Start().ok());
  ASSERT_TRUE(world_.Open().ok());
  ExpectRecords(4, 10);
}

TEST_F(LogStartTest, EpochsBegunBehindARetentionAreRecovered) {
  ASSERT_TRUE(world_.Stop().ok());
  world_.log_options().retention.age_max = absl::Hours(1);
  Start();
  Append(1);
  for (int i = 0; i < 3; ++i) {
    world_.Advance(absl::Hours(2));
    ASSERT_TRUE(world_.ApplyRetention().ok());
    ASSERT_TRUE(world_.Stop().ok());
    Start();
    Append(1);
  }
  ExpectRecords(2, 4);
}

}  // namespace
}  // namespace talosmq::storage
