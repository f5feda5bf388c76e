#include "sink/task_machine.h"

#include "gtest/gtest.h"

#include <variant>

namespace talosmq::sink {
namespace {

constexpr int32_t kHour = 498'702;
const absl::Time kWall = absl::UnixEpoch() + absl::Hours(kHour) + absl::Minutes(10);

Moment At(absl::Duration since_start) {
  return {.wall = kWall + since_start, .monotonic = absl::Hours(1) + since_start};
}

TaskRecord Claimed() {
  TaskRecord record;
  record.epoch = 5;
  record.next_offset = Offset(100);
  return record;
}

/// A machine that has swept and reads.
TaskMachine Reading(const RollLimits& roll) {
  TaskMachine machine(Claimed(), roll);
  EXPECT_EQ(std::get<SweepFiles>(machine.Start()).epoch_max, 5);
  EXPECT_EQ(std::get<ReadRecords>(machine.OnDone()).offset, Offset(100));
  return machine;
}

/// One record, as the driver takes it; true when a bound is reached.
bool Take(TaskMachine& machine, Hour hour, Moment now, uint64_t bytes = 10) {
  const auto ordinal = machine.Place(hour, now);
  return !ordinal.has_value() || machine.Added(*ordinal, machine.position(), bytes);
}

TEST(TaskMachineTest, CommitGoesThroughIntentAndDone) {
  TaskMachine machine = Reading({.records = 2});
  EXPECT_FALSE(Take(machine, kHour, At(absl::ZeroDuration())));
  EXPECT_TRUE(Take(machine, kHour, At(absl::ZeroDuration())));
  const auto seal = std::get<SealFiles>(machine.OnRead(Offset(102), At(absl::ZeroDuration())));
  ASSERT_EQ(seal.files.size(), 1u);
  EXPECT_EQ(seal.files[0].first, Offset(100));
  EXPECT_EQ(seal.files[0].last, Offset(101));
  const auto intent = std::get<SaveRecord>(machine.OnDone()).record;
  EXPECT_EQ(intent.next_offset, Offset(100));
  EXPECT_EQ(intent.intent->next_offset, Offset(102));
  EXPECT_EQ(intent.intent->epoch, 5);
  EXPECT_TRUE(machine.may_have_intent());
  EXPECT_EQ(std::get<PublishFiles>(machine.OnDone()).intent, *intent.intent);
  const auto done = std::get<SaveRecord>(machine.OnDone()).record;
  EXPECT_EQ(done.next_offset, Offset(102));
  EXPECT_FALSE(done.intent.has_value());
  EXPECT_EQ(done.records_published, 2);
  EXPECT_EQ(done.bytes_published, 20);
  EXPECT_EQ(std::get<ReadRecords>(machine.OnDone()).offset, Offset(102));
  EXPECT_FALSE(machine.may_have_intent());
}

TEST(TaskMachineTest, SkippedOffsetsAreCountedOnceWithTheIntentThatPassesThem) {
  TaskMachine machine = Reading({.records = 1});
  machine.Skip(Offset(103));
  EXPECT_EQ(machine.position(), Offset(103));
  EXPECT_TRUE(Take(machine, kHour, At(absl::ZeroDuration())));
  machine.OnRead(Offset(104), At(absl::ZeroDuration()));
  const auto intent = std::get<SaveRecord>(machine.OnDone()).record;
  EXPECT_EQ(intent.offsets_skipped, 3) << "a worker that only finishes the intent counts no more";
  machine.OnDone();
  EXPECT_EQ(std::get<SaveRecord>(machine.OnDone()).record.offsets_skipped, 3);
}

TEST(TaskMachineTest, SkippedOffsetsWithoutARecordAreSavedWhenTheirTimeComes) {
  TaskMachine machine = Reading({.age = absl::Seconds(1)});
  machine.Skip(Offset(103));
  machine.OnRead(Offset(103), At(absl::ZeroDuration()));
  const auto action = machine.OnTime(At(absl::Seconds(1)));
  ASSERT_TRUE(action.has_value());
  const auto done = std::get<SaveRecord>(*action).record;
  EXPECT_EQ(done.next_offset, Offset(103));
  EXPECT_EQ(done.offsets_skipped, 3);
}

TEST(TaskMachineTest, OpenIntentIsFinishedBeforeAnythingIsSweptOrRead) {
  TaskRecord record = Claimed();
  record.intent = Intent{.epoch = 4, .next_offset = Offset(101), .files = {CommittedFile{}}};
  TaskMachine machine(record, {});
  EXPECT_EQ(std::get<PublishFiles>(machine.Start()).intent.epoch, 4);
  const auto done = std::get<SaveRecord>(machine.OnDone()).record;
  EXPECT_EQ(done.next_offset, Offset(101));
  EXPECT_EQ(done.epoch, 5);
  EXPECT_EQ(std::get<SweepFiles>(machine.OnDone()).epoch_max, 5);
  EXPECT_EQ(std::get<ReadRecords>(machine.OnDone()).offset, Offset(101));
}

TEST(TaskMachineTest, BytesOfOneFileRoll) {
  TaskMachine machine = Reading({.bytes = 100});
  EXPECT_FALSE(Take(machine, kHour, At(absl::ZeroDuration()), 99));
  EXPECT_FALSE(Take(machine, kHour - 1, At(absl::ZeroDuration()), 99));
  EXPECT_TRUE(Take(machine, kHour - 1, At(absl::ZeroDuration()), 1));
}

TEST(TaskMachineTest, AgeRollsWithoutNewRecords) {
  TaskMachine machine = Reading({.age = absl::Seconds(60)});
  EXPECT_EQ(machine.OnTime(At(absl::Seconds(1000))), std::nullopt) << "nothing is open";
  Take(machine, kHour, At(absl::ZeroDuration()));
  machine.OnRead(Offset(101), At(absl::ZeroDuration()));
  EXPECT_EQ(machine.TimeToNext(At(absl::Seconds(20))), absl::Seconds(40));
  EXPECT_EQ(machine.OnTime(At(absl::Seconds(59))), std::nullopt);
  const auto action = machine.OnTime(At(absl::Seconds(60)));
  ASSERT_TRUE(action.has_value());
  EXPECT_TRUE(std::holds_alternative<SealFiles>(*action));
}

TEST(TaskMachineTest, EndOfTheHourRolls) {
  TaskMachine machine = Reading({.age = absl::Hours(24)});
  Take(machine, kHour - 5, At(absl::ZeroDuration()));
  machine.OnRead(Offset(101), At(absl::ZeroDuration()));
  EXPECT_EQ(machine.TimeToNext(At(absl::Minutes(49) + absl::Seconds(30))), absl::Seconds(30));
  EXPECT_EQ(machine.OnTime(At(absl::Minutes(49))), std::nullopt);
  EXPECT_TRUE(machine.OnTime(At(absl::Minutes(50))).has_value());
}

TEST(TaskMachineTest, WallClockSetBackRollsByAgeAlone) {
  TaskMachine machine = Reading({.age = absl::Minutes(5)});
  Take(machine, kHour, At(absl::ZeroDuration()));
  machine.OnRead(Offset(101), At(absl::ZeroDuration()));
  Moment now = At(absl::Minutes(4));
  now.wall -= absl::Hours(3);
  EXPECT_EQ(machine.OnTime(now), std::nullopt);
  now.monotonic += absl::Minutes(1);
  EXPECT_TRUE(machine.OnTime(now).has_value());
}

TEST(TaskMachineTest, JumpOfTheWallClockIsNoticedWithinAMinute) {
  TaskMachine machine = Reading({.age = absl::Hours(24)});
  Take(machine, kHour, At(absl::ZeroDuration()));
  EXPECT_LE(machine.TimeToNext(At(absl::ZeroDuration())), absl::Minutes(1));
}

TEST(TaskMachineTest, OneHourTooManyCommitsAllFilesTogether) {
  TaskMachine machine = Reading({});
  for (int32_t i = 0; i < static_cast<int32_t>(kOpenFilesMax); ++i) {
    ASSERT_FALSE(Take(machine, kHour - i, At(absl::ZeroDuration())));
  }
  ASSERT_FALSE(Take(machine, kHour - 3, At(absl::ZeroDuration()))) << "that one is open";
  EXPECT_EQ(machine.Place(kHour + 1, At(absl::ZeroDuration())), std::nullopt);
  const auto action = machine.OnRead(machine.position(), At(absl::ZeroDuration()));
  const auto& files = std::get<SealFiles>(action).files;
  ASSERT_EQ(files.size(), kOpenFilesMax);
  EXPECT_EQ(files[3].first, Offset(103));
  EXPECT_EQ(files[3].last, Offset(100 + static_cast<int64_t>(kOpenFilesMax)));
  EXPECT_EQ(files[3].records, 2);
}

TEST(TaskMachineTest, OffsetsWithoutRecordsAreSavedWithoutAFile) {
  TaskMachine machine = Reading({.age = absl::Seconds(60)});
  EXPECT_TRUE(
      std::holds_alternative<ReadRecords>(machine.OnRead(Offset(150), At(absl::ZeroDuration()))));
  const auto action = machine.OnTime(At(absl::Seconds(60)));
  ASSERT_TRUE(action.has_value());
  EXPECT_EQ(std::get<SaveRecord>(*action).record.next_offset, Offset(150));
}

TEST(TaskMachineTest, FinishingPublishesWhatIsOpenAndEnds) {
  TaskMachine machine = Reading({});
  Take(machine, kHour, At(absl::ZeroDuration()));
  const auto action = machine.FinishSoon();
  ASSERT_TRUE(action.has_value());
  EXPECT_TRUE(std::holds_alternative<SealFiles>(*action));
  machine.OnDone();
  machine.OnDone();
  machine.OnDone();
  EXPECT_TRUE(std::holds_alternative<TaskEnded>(machine.OnDone()));
}

TEST(TaskMachineTest, FinishingWithNothingOpenEndsAtOnce) {
  TaskMachine machine = Reading({});
  EXPECT_TRUE(std::holds_alternative<TaskEnded>(*machine.FinishSoon()));
}

TEST(TaskMachineTest, FinishingAmidACommitWaitsForIt) {
  TaskMachine machine = Reading({.records = 1});
  Take(machine, kHour, At(absl::ZeroDuration()));
  machine.OnRead(Offset(101), At(absl::ZeroDuration()));
  EXPECT_EQ(machine.FinishSoon(), std::nullopt);
  machine.OnDone();
  machine.OnDone();
  machine.OnDone();
  EXPECT_TRUE(std::holds_alternative<TaskEnded>(machine.OnDone()));
}

}  // namespace
}  // namespace talosmq::sink
