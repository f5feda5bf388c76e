#include "base/bytes.h"
#include "io/file_system.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class TopicTest : public ::testing::Test {
 protected:
  void SetUp() override { harness_.Start(); }

  AnswerPtr<absl::Status> Delete(const std::string& name) {
    auto answer = std::make_shared<Answer<absl::Status>>();
    harness_.broker().topics().Delete(name, absl::InfiniteDuration(), WriteDown(answer));
    return answer;
  }
  Reason CreateReason(TopicCreation creation) {
    Reason reason = Reason::kNone;
    harness_.broker().topics().Create(
        std::move(creation), absl::InfiniteDuration(),
        [&reason](const absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>& topic) {
          reason = ReasonOf(topic.status());
        });
    harness_.Run();
    return reason;
  }
  absl::StatusOr<TopicDescription> Describe(const std::string& name) {
    absl::StatusOr<TopicDescription> description;
    harness_.broker().topics().Describe(
        name, [&description](absl::StatusOr<TopicDescription> given) { description = given; });
    harness_.Run();
    return description;
  }
  bool HasFolder(const TopicPartition& log) {
    return harness_.disk().Exists("data/topics/" + log.ToString()).value_or(false);
  }
  int64_t SegmentsOf(const TopicPartition& log) {
    const auto names = harness_.disk().List("data/topics/" + log.ToString());
    EXPECT_TRUE(names.ok()) << names.status();
    return std::count_if(names->begin(), names->end(),
                         [](const std::string& name) { return name.ends_with(".log"); });
  }
  TopicPartition First(const std::string& name, int32_t partitions = 1) {
    return {.topic_id = harness_.CreateTopic(name, partitions), .partition = PartitionId(0)};
  }

  /// A log on the disk that no topic owns.
  TopicPartition MakeOrphan(int32_t partition) {
    const TopicPartition orphan{.topic_id = TopicId({9}), .partition = PartitionId(partition)};
    const std::string folder = "data/topics/" + orphan.ToString();
    io::FileSystem& disk = harness_.disk();
    EXPECT_TRUE(disk.MakeDirectories(folder).ok());
    for (const char* name : {"/00000000000000000000.log", "/epochs"}) {
      EXPECT_TRUE(io::WriteFileAtomically(disk, folder + name, base::AsBytes("what was")).ok());
    }
    return orphan;
  }
  absl::Status DeleteOrphan(const TopicPartition& log) {
    const auto answer = std::make_shared<Answer<absl::Status>>();
    harness_.broker().cluster().DeleteOrphan(log, WriteDown(answer));
    harness_.Run();
    EXPECT_EQ(answer->calls, 1);
    return answer->value;
  }

  BrokerHarness harness_;
};

TEST_F(TopicTest, ACreatedTopicIsInTheImageWhenItIsAnswered) {
  const TopicId id = harness_.CreateTopic("orders", 3);
  const auto topic = harness_.broker().topics().image()->FindTopic(std::string_view("orders"));
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->id, id);
  EXPECT_EQ(topic->partitions.size(), 3u);
  EXPECT_EQ(CreateReason({.name = "orders", .partitions = 1, .replicas = {}, .configs = {}}),
            Reason::kTopicExists);
}

TEST_F(TopicTest, WhatCannotBeCreatedIsRefusedByItsOwnReason) {
  EXPECT_EQ(CreateReason({.name = "a/b", .partitions = 1, .replicas = {}, .configs = {}}),
            Reason::kInvalidTopicName);
  EXPECT_EQ(CreateReason({.name = "__a", .partitions = 1, .replicas = {}, .configs = {}}),
            Reason::kInvalidTopicName);
  EXPECT_EQ(CreateReason({.name = "a", .partitions = 0, .replicas = {}, .configs = {}}),
            Reason::kInvalidPartitions);
  EXPECT_EQ(CreateReason({.name = "a", .partitions = 1, .replicas = 3, .configs = {}}),
            Reason::kInvalidReplicas);
  EXPECT_EQ(CreateReason(
                {.name = "a", .partitions = 1, .replicas = {}, .configs = {{"retention.ms", "0"}}}),
            Reason::kInvalidConfig);
}

TEST_F(TopicTest, DescribingAPartitionThatWasNeverUsedCreatesNoFiles) {
  const TopicPartition target = First("orders", 4);
  const uint64_t changes = harness_.disk().changes();
  const auto description = Describe("orders");
  ASSERT_TRUE(description.ok()) << description.status();
  ASSERT_EQ(description->partitions.size(), 4u);
  for (const PartitionDescription& partition : description->partitions) {
    EXPECT_TRUE(partition.status.ok()) << partition.status;
    EXPECT_EQ(partition.log_end, Offset(0));
    EXPECT_EQ(partition.epoch, LeaderEpoch(0));
  }
  EXPECT_EQ(harness_.disk().changes(), changes);
  EXPECT_FALSE(HasFolder(target));
  EXPECT_EQ(ReasonOf(Describe("nothing").status()), Reason::kUnknownTopic);
}

TEST_F(TopicTest, ADescriptionHasOffsetsAndEveryConfig) {
  const TopicPartition target = First("orders");
  harness_.AppendNow(target, {.values = {"a", "b"}});
  harness_.Append(target, {.values = {"c"}});
  harness_.RunWithoutFlush();
  absl::StatusOr<TopicDescription> description;
  harness_.broker().topics().Describe(
      "orders", [&description](absl::StatusOr<TopicDescription> given) { description = given; });
  harness_.RunWithoutFlush();
  ASSERT_TRUE(description.ok()) << description.status();
  const PartitionDescription& partition = description->partitions.at(0);
  EXPECT_EQ(partition.high_watermark, Offset(2));
  EXPECT_EQ(partition.log_end, Offset(3));
  EXPECT_EQ(partition.epoch, LeaderEpoch(1));
  EXPECT_THAT(partition.replicas, ElementsAre(BrokerHarness::kSelf));
  EXPECT_GT(partition.size_bytes, 0);
  EXPECT_THAT(description->configs, Not(IsEmpty()));
}

TEST_F(TopicTest, ChangeWhoseDeadlinePassedWhileItWaitedNeverBegins) {
  Reason reason = Reason::kNone;
  harness_.broker().topics().Create(
      {.name = "late", .partitions = {}, .replicas = {}, .configs = {}},
      harness_.clock().Monotonic() + absl::Milliseconds(10),
      [&reason](const auto& topic) { reason = ReasonOf(topic.status()); });
  harness_.clock().Advance(absl::Milliseconds(10));
  harness_.Run();
  EXPECT_EQ(reason, Reason::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(Describe("late").status()), Reason::kUnknownTopic);
}

TEST_F(TopicTest, AddedPartitionsAreUsableAndFewerAreRefused) {
  const TopicPartition target = First("orders");
  auto grown = std::make_shared<Answer<absl::Status>>();
  harness_.broker().topics().AddPartitions("orders", 3, absl::InfiniteDuration(), WriteDown(grown));
  harness_.Run();
  EXPECT_TRUE(grown->value.ok()) << grown->value;
  harness_.AppendNow({.topic_id = target.topic_id, .partition = PartitionId(2)}, {.values = {"a"}});
  auto shrunk = std::make_shared<Answer<absl::Status>>();
  harness_.broker().topics().AddPartitions("orders", 2, absl::InfiniteDuration(),
                                           WriteDown(shrunk));
  harness_.Run();
  EXPECT_EQ(ReasonOf(shrunk->value), Reason::kInvalidPartitions);
}

TEST_F(TopicTest, AnAlteredLimitHoldsForTheNextAppend) {
  const TopicPartition target = First("orders");
  harness_.AppendNow(target, {.values = {std::string(2000, 'x')}});
  auto altered = std::make_shared<Answer<absl::Status>>();
  harness_.broker().topics().Alter(
      {.name = "orders", .set = {{"max.message.bytes", "1024"}}, .unset = {}},
      absl::InfiniteDuration(), WriteDown(altered));
  harness_.Run();
  ASSERT_TRUE(altered->value.ok()) << altered->value;
  const auto refused = harness_.Append(target, {.values = {std::string(2000, 'x')}});
  harness_.Run();
  EXPECT_EQ(ReasonOf(refused->value.status), Reason::kBatchTooLarge);
  harness_.AppendNow(target, {.values = {"small"}});
}

TEST_F(TopicTest, AnAlteredSegmentSizeHoldsForALogThatIsOpen) {
  const TopicPartition target = First("orders");
  const BatchOf large{.values = {std::string(600'000, 'x')}};
  for (int i = 0; i < 3; ++i) harness_.AppendNow(target, large);
  EXPECT_EQ(SegmentsOf(target), 1);
  auto altered = std::make_shared<Answer<absl::Status>>();
  harness_.broker().topics().Alter(
      {.name = "orders",
       .set = {{"segment.bytes", "1048576"}, {"max.message.bytes", "1048576"}},
       .unset = {}},
      absl::InfiniteDuration(), WriteDown(altered));
  harness_.Run();
  ASSERT_TRUE(altered->value.ok()) << altered->value;
  for (int i = 0; i < 3; ++i) harness_.AppendNow(target, large);
  EXPECT_GE(SegmentsOf(target), 3);
}

TEST_F(TopicTest, DeletionAnswersWhatWaitsOnceAndRemovesTheFiles) {
  const TopicPartition target = First("orders");
  harness_.AppendNow(target, {.values = {"a"}});
  ASSERT_TRUE(HasFolder(target));
  const auto fetch = harness_.Fetch(target, 1, absl::Seconds(30));
  const auto append = harness_.Append(target, {.values = {"b"}});
  harness_.RunWithoutFlush();
  const auto deleted = Delete("orders");
  harness_.RunWithoutFlush();
  EXPECT_EQ(fetch->calls, 1);
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kTopicDeleting) << fetch->value.status;
  EXPECT_EQ(append->calls, 1);
  EXPECT_EQ(ReasonOf(append->value.status), Reason::kTopicDeleting) << append->value.status;
  harness_.Run();
  EXPECT_EQ(fetch->calls, 1);
  EXPECT_EQ(append->calls, 1);
  EXPECT_TRUE(deleted->value.ok()) << deleted->value;
  EXPECT_FALSE(HasFolder(target));
  EXPECT_TRUE(harness_.broker().topics().image()->deletions.empty());
}

TEST_F(TopicTest, AppendsThatWaitForTheirEpochAreAnsweredByTheDeletion) {
  const TopicPartition target = First("orders");
  const auto append = harness_.Append(target, {.values = {"a"}});
  const auto deleted = Delete("orders");
  harness_.Run();
  EXPECT_EQ(append->calls, 1);
  EXPECT_TRUE(deleted->value.ok()) << deleted->value;
  EXPECT_FALSE(HasFolder(target));
}

TEST_F(TopicTest, ATopicOfTheSameNameIsAnotherTopic) {
  const TopicPartition old = First("orders");
  harness_.AppendNow(old, {.values = {"old"}});
  Delete("orders");
  harness_.Run();
  const TopicPartition fresh = First("orders");
  EXPECT_NE(fresh.topic_id, old.topic_id);
  const auto append = harness_.Append(old, {.values = {"stale"}});
  const auto fetch = harness_.Fetch(old, 0);
  harness_.Run();
  EXPECT_EQ(ReasonOf(append->value.status), Reason::kUnknownTopicId);
  EXPECT_EQ(ReasonOf(fetch->value.status), Reason::kUnknownTopicId);
  EXPECT_TRUE(harness_.ReadAll(fresh).empty());
  EXPECT_FALSE(HasFolder(old));
}

TEST_F(TopicTest, AnInterruptedDeletionIsFinishedAfterTheRestart) {
  const TopicPartition target = First("orders");
  const TopicPartition kept = First("kept");
  harness_.AppendNow(target, {.values = {"a"}});
  harness_.AppendNow(kept, {.values = {"b"}});
  harness_.disk().SetFaultHook([](support::DiskCall call, const std::string& path) {
    return call == support::DiskCall::kRemove ? support::MemoryFileSystem::IoError(path)
                                              : absl::OkStatus();
  });
  const auto deleted = Delete("orders");
  harness_.Run();
  EXPECT_TRUE(deleted->value.ok()) << deleted->value;
  EXPECT_FALSE(harness_.broker().topics().image()->deletions.empty());
  harness_.disk().SetFaultHook(nullptr);
  harness_.Kill();
  harness_.Start();
  EXPECT_FALSE(HasFolder(target));
  EXPECT_TRUE(harness_.broker().topics().image()->deletions.empty());
  EXPECT_EQ(harness_.ReadAll(kept).size(), 1u);
}

TEST_F(TopicTest, AFailedDeletionIsTriedAgainLater) {
  const TopicPartition target = First("orders");
  harness_.AppendNow(target, {.values = {"a"}});
  harness_.disk().FailNth(support::DiskCall::kRemove, 1,
                          support::MemoryFileSystem::IoError("data"));
  Delete("orders");
  harness_.Run();
  EXPECT_TRUE(HasFolder(target));
  harness_.Advance(absl::Seconds(2));
  EXPECT_FALSE(HasFolder(target));
}

TEST_F(TopicTest, FoldersThatNoTopicOwnsAreReportedAndKept) {
  const TopicPartition orphan{.topic_id = TopicId({9}), .partition = PartitionId(4)};
  const std::string folder = "data/topics/" + orphan.ToString();
  ASSERT_TRUE(harness_.disk().MakeDirectories(folder).ok());
  const TopicPartition owned = First("orders");
  harness_.AppendNow(owned, {.values = {"a"}});
  EXPECT_THAT(harness_.CheckHealthNow().orphans, ElementsAre(orphan.ToString()));
  Delete("orders");
  harness_.Run();
  harness_.Stop();
  harness_.Start();
  EXPECT_THAT(harness_.CheckHealthNow().orphans, ElementsAre(orphan.ToString()));
  EXPECT_TRUE(HasFolder(orphan));
}

TEST_F(TopicTest, LogOfATopicIsNoOrphanAndKept) {
  const TopicPartition owned = First("orders");
  harness_.AppendNow(owned, {.values = {"a"}});
  const absl::Status refused = DeleteOrphan(owned);
  EXPECT_EQ(ReasonOf(refused), Reason::kInvalidArgument);
  EXPECT_THAT(refused.ToString(), testing::HasSubstr("'orders'"));
  harness_.Kill();
  harness_.Start();
  EXPECT_EQ(harness_.ReadAll(owned).size(), 1u);
}

TEST_F(TopicTest, OrphanThatIsNotThereIsToldAndNothingIsDeleted) {
  const TopicPartition orphan = MakeOrphan(4);
  const TopicPartition other{.topic_id = orphan.topic_id, .partition = PartitionId(5)};
  EXPECT_EQ(ReasonOf(DeleteOrphan(other)), Reason::kUnknownPartition);
  EXPECT_TRUE(HasFolder(orphan));
}

TEST_F(TopicTest, PartitionBeyondThoseOfItsTopicIsAnOrphan) {
  const TopicPartition owned = First("orders");
  const TopicPartition beyond{.topic_id = owned.topic_id, .partition = PartitionId(1)};
  ASSERT_TRUE(harness_.disk().MakeDirectories("data/topics/" + beyond.ToString()).ok());
  EXPECT_TRUE(DeleteOrphan(beyond).ok());
  EXPECT_FALSE(HasFolder(beyond));
}

TEST_F(TopicTest, DeletedOrphanStaysDeletedAfterAPowerCut) {
  const TopicPartition orphan = MakeOrphan(4);
  const TopicPartition kept = MakeOrphan(5);
  EXPECT_TRUE(DeleteOrphan(orphan).ok());
  harness_.CutPower(support::PowerCut::DropUnsynced());
  harness_.Start();
  EXPECT_FALSE(HasFolder(orphan));
  EXPECT_THAT(harness_.CheckHealthNow().orphans, ElementsAre(kept.ToString()));
}

TEST_F(TopicTest, InterruptedDeletionOfAnOrphanIsRepeated) {
  for (uint64_t nth = 1;; ++nth) {
    const TopicPartition orphan = MakeOrphan(4);
    harness_.disk().DieAtChange(nth);
    const bool is_through = DeleteOrphan(orphan).ok();
    harness_.CutPower(support::PowerCut::Random(nth));
    harness_.Start();
    const absl::Status again = DeleteOrphan(orphan);
    EXPECT_TRUE(again.ok() || ReasonOf(again) == Reason::kUnknownPartition) << again;
    EXPECT_FALSE(HasFolder(orphan));
    EXPECT_THAT(harness_.CheckHealthNow().orphans, ElementsAre());
    if (is_through) break;
    ASSERT_LT(nth, 50u);
  }
}

TEST_F(TopicTest, ACheckSaysWhatTheChangeWouldSay) {
  First("orders", 2);
  const TopicService& topics = harness_.broker().topics();
  const auto reason = [&](TopicCreation creation) {
    const Reason checked = ReasonOf(topics.CheckCreate(creation).status());
    // One that can be created is, so each is named once.
    EXPECT_EQ(checked, CreateReason(std::move(creation)));
    return checked;
  };
  EXPECT_EQ(reason({.name = "orders"}), Reason::kTopicExists);
  EXPECT_EQ(reason({.name = "no name"}), Reason::kInvalidTopicName);
  EXPECT_EQ(reason({.name = "__own"}), Reason::kInvalidTopicName);
  EXPECT_EQ(reason({.name = "none", .partitions = 0}), Reason::kInvalidPartitions);
  EXPECT_EQ(reason({.name = "none", .replicas = 0}), Reason::kInvalidReplicas);
  EXPECT_EQ(reason({.name = "none", .configs = {{"retention.ms", "soon"}}}),
            Reason::kInvalidConfig);
  EXPECT_EQ(reason({.name = "new"}), Reason::kNone);
}

TEST_F(TopicTest, ACheckChangesNothingAndFillsDefaultsIn) {
  const auto checked = harness_.broker().topics().CheckCreate({.name = "orders"});
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->partitions, 8);
  EXPECT_EQ(checked->replicas, 1);
  harness_.Run();
  EXPECT_EQ(ReasonOf(Describe("orders").status()), Reason::kUnknownTopic);
}

TEST_F(TopicTest, AnAlterationAndAGrowthAreCheckedByTheTopic) {
  First("orders", 2);
  const TopicService& topics = harness_.broker().topics();
  TopicAlteration alteration{.name = "orders", .set = {{"retention.ms", "5000"}}, .unset = {}};
  EXPECT_TRUE(topics.CheckAlter(alteration).ok());
  alteration.set["retention.ms"] = "soon";
  EXPECT_EQ(ReasonOf(topics.CheckAlter(alteration)), Reason::kInvalidConfig);
  alteration.name = "other";
  EXPECT_EQ(ReasonOf(topics.CheckAlter(alteration)), Reason::kUnknownTopic);
  alteration.name = "__consumer_offsets";
  EXPECT_EQ(ReasonOf(topics.CheckAlter(alteration)), Reason::kInvalidTopicName);
  EXPECT_TRUE(topics.CheckAddPartitions("orders", 3).ok());
  EXPECT_EQ(ReasonOf(topics.CheckAddPartitions("orders", 2)), Reason::kInvalidPartitions);
  EXPECT_EQ(ReasonOf(topics.CheckAddPartitions("orders", 10'001)), Reason::kInvalidPartitions);
  EXPECT_EQ(ReasonOf(topics.CheckAddPartitions("other", 3)), Reason::kUnknownTopic);
}

TEST_F(TopicTest, AReplacementTakesBackWhatItDoesNotName) {
  harness_.CreateTopic("orders", 1, {{"retention.ms", "5000"}, {"label.team", "mine"}});
  const auto answer = std::make_shared<Answer<absl::Status>>();
  harness_.broker().topics().Alter({.name = "orders",
                                    .set = {{"segment.ms", "60000"}},
                                    .unset = {},
                                    .unnamed = metadata::UnnamedKeys::kGetDefaults},
                                   absl::InfiniteDuration(), WriteDown(answer));
  harness_.Run();
  ASSERT_TRUE(answer->value.ok()) << answer->value;
  const auto topic = Describe("orders");
  ASSERT_TRUE(topic.ok());
  std::vector<std::string> set;
  for (const ConfigEntry& entry : topic->configs) {
    if (entry.is_default) continue;
    set.push_back(entry.key + "=" + entry.value + " for " + entry.default_value);
  }
  EXPECT_THAT(set, ElementsAre("segment.ms=60000 for 604800000"));
}

}  // namespace
}  // namespace talosmq::broker
