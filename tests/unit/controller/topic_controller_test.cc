#include "controller/topic_controller.h"

#include "talosmq/error.h"

#include "unit/controller/topic_world.h"
#include <gmock/gmock.h>

namespace talosmq::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TopicControllerTest : public ::testing::Test {
 protected:
  absl::Status Refused(NewTopic topic) { return world_.Create(std::move(topic)).status(); }
  TopicId Made(const std::string& name, int32_t partitions) {
    const auto created = world_.Create({.name = name, .partitions = partitions});
    EXPECT_TRUE(created.ok()) << created.status();
    return created->id;
  }

  TopicWorld world_{1};
};

TEST_F(TopicControllerTest, WrongRequestsAreRefusedAndLeaveNothing) {
  EXPECT_EQ(ReasonOf(Refused({.name = ""})), Reason::kInvalidTopicName);
  EXPECT_EQ(ReasonOf(Refused({.name = "a/b"})), Reason::kInvalidTopicName);
  for (const int32_t partitions : {-1, 0, kPartitionsMax + 1}) {
    EXPECT_EQ(ReasonOf(Refused({.name = "t", .partitions = partitions})),
              Reason::kInvalidPartitions);
  }
  EXPECT_EQ(ReasonOf(Refused({.name = "t", .replicas = 0})), Reason::kInvalidReplicas);
  EXPECT_EQ(ReasonOf(Refused({.name = "t", .configs = {{"segment.bytes", "1"}}})),
            Reason::kInvalidConfig);
  EXPECT_EQ(ReasonOf(Refused({.name = "t", .configs = {{"retention.ms", "0"}}})),
            Reason::kInvalidConfig);
  EXPECT_THAT(world_.List(""), SizeIs(1));  // The broker.
}

TEST_F(TopicControllerTest, MoreReplicasThanBrokersAreRefusedSayingSo) {
  const absl::Status status = Refused({.name = "t", .replicas = 2});
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidReplicas);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 to 1 (the number of brokers), found 2"));
}

TEST_F(TopicControllerTest, NameIsFreeAsSoonAsTheTopicIsDeleted) {
  const TopicId first = Made("t", 3);
  EXPECT_EQ(ReasonOf(Refused({.name = "t"})), Reason::kTopicExists);
  ASSERT_TRUE(world_.Delete("t").ok());
  const TopicId second = Made("t", 3);
  EXPECT_NE(second, first);
  ASSERT_TRUE(world_.ConfirmDeleted(first, BrokerId(0)).ok());
  ASSERT_NE(world_.Topic("t"), nullptr);
  EXPECT_EQ(world_.Topic("t")->id, second);
  EXPECT_EQ(world_.Topic("t")->state, metadata::TopicState::kActive);
}

TEST_F(TopicControllerTest, SeveralDeletedTopicsOfOneNameAreRemovedInAnyOrder) {
  const TopicId first = Made("t", 3);
  ASSERT_TRUE(world_.Delete("t").ok());
  const TopicId second = Made("t", 2);
  ASSERT_TRUE(world_.Delete("t").ok());
  ASSERT_TRUE(world_.ConfirmDeleted(second, BrokerId(0)).ok());
  EXPECT_EQ(world_.Topic("t"), nullptr);
  ASSERT_TRUE(world_.ConfirmDeleted(first, BrokerId(0)).ok());
  EXPECT_THAT(world_.List(""), SizeIs(1));  // The broker.
}

TEST_F(TopicControllerTest, DeletionMayBeRepeatedUntilTheTopicIsGone) {
  const TopicId id = Made("t", 3);
  ASSERT_TRUE(world_.Delete("t").ok());
  EXPECT_TRUE(world_.Delete("t").ok());
  ASSERT_TRUE(world_.ConfirmDeleted(id, BrokerId(0)).ok());
  EXPECT_EQ(ReasonOf(world_.Delete("t").status()), Reason::kUnknownTopic);
}

TEST_F(TopicControllerTest, UnknownAndDeletedTopicsCannotBeChanged) {
  EXPECT_EQ(ReasonOf(world_.Grow("t", 9).status()), Reason::kUnknownTopic);
  EXPECT_EQ(ReasonOf(world_.Alter("t", {}).status()), Reason::kUnknownTopic);
  EXPECT_EQ(ReasonOf(world_.Delete("t").status()), Reason::kUnknownTopic);
  Made("t", 3);
  ASSERT_TRUE(world_.Delete("t").ok());
  EXPECT_EQ(ReasonOf(world_.Grow("t", 9).status()), Reason::kTopicDeleting);
  EXPECT_EQ(ReasonOf(world_.Alter("t", {.set = {{"label.a", "1"}}}).status()),
            Reason::kTopicDeleting);
}

TEST_F(TopicControllerTest, PartitionsOnlyGrow) {
  Made("t", 3);
  for (const int32_t total : {3, 2, 0, -1, kPartitionsMax + 1}) {
    EXPECT_EQ(ReasonOf(world_.Grow("t", total).status()), Reason::kInvalidPartitions);
  }
  EXPECT_THAT(world_.Topic("t")->partitions, SizeIs(3));
}

TEST_F(TopicControllerTest, RefusedConfigChangeChangesNothing) {
  Made("t", 1);
  ASSERT_TRUE(world_.Alter("t", {.set = {{"label.owner", "me"}}}).ok());
  const std::vector<ConfigChange> refused = {
      {.set = {{"label.owner", "you"}, {"no.such.key", "1"}}},
      {.set = {{"label.owner", "you"}}, .unset = {"label.owner"}},
      {.set = {{"label.owner", "you"}}, .unset = {"no.such.key"}},
      {.set = {{"segment.bytes", "1048576"}}},  // Does not hold the default max.message.bytes.
  };
  for (const ConfigChange& change : refused) {
    EXPECT_EQ(ReasonOf(world_.Alter("t", change).status()), Reason::kInvalidConfig);
  }
  EXPECT_THAT(world_.Topic("t")->configs, ElementsAre(std::pair("label.owner", "me")));
}

TEST_F(TopicControllerTest, CreatedTopicHasWhatWasAsked) {
  const auto created = world_.Create(
      {.name = "orders", .partitions = 250, .replicas = 1, .configs = {{"segment.ms", "60000"}}});
  ASSERT_TRUE(created.ok()) << created.status();
  const auto topic = world_.Topic("orders");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->id, created->id);
  EXPECT_EQ(topic->revision, created->revision);
  EXPECT_EQ(topic->configs.at("segment.ms"), "60000");
  ASSERT_THAT(topic->partitions, SizeIs(250));
  for (const metadata::PartitionImage& partition : topic->partitions) {
    EXPECT_THAT(partition.replicas, ElementsAre(BrokerId(0)));
    EXPECT_EQ(partition.leader, BrokerId(0));
    EXPECT_EQ(partition.epoch, LeaderEpoch(0));
  }
  EXPECT_THAT(world_.List(metadata::AssignmentsOf(created->id)), SizeIs(3));
  EXPECT_THAT(world_.List(metadata::kPartitionStatesPrefix), IsEmpty());
}

TEST_F(TopicControllerTest, DefaultsAreEightPartitionsAndOneReplica) {
  ASSERT_TRUE(world_.Create({.name = "t"}).ok());
  EXPECT_THAT(world_.Topic("t")->partitions, SizeIs(8));
}

TEST_F(TopicControllerTest, LargestTopicIsCreatedGrownAndDeleted) {
  const TopicId id = Made("t", 1);
  ASSERT_TRUE(world_.Grow("t", kPartitionsMax).ok());
  EXPECT_THAT(world_.Topic("t")->partitions, SizeIs(kPartitionsMax));
  Made("u", kPartitionsMax);
  EXPECT_THAT(world_.Topic("u")->partitions, SizeIs(kPartitionsMax));
  ASSERT_TRUE(world_.Delete("t").ok());
  ASSERT_TRUE(world_.ConfirmDeleted(id, BrokerId(0)).ok());
  EXPECT_EQ(world_.Topic("t"), nullptr);
  world_.ExpectNoLeftovers();
}

TEST_F(TopicControllerTest, GrowthKeepsThePartitionsThatAreThere) {
  const TopicId id = Made("t", 150);
  const metadata::PartitionStateRecord state{
      .leader = BrokerId(0), .epoch = LeaderEpoch(7), .in_sync = {BrokerId(0)}};
  world_.Put(metadata::PartitionStateKey({.topic_id = id, .partition = PartitionId(149)}),
             metadata::Encode(state));
  ASSERT_TRUE(world_.Grow("t", 310).ok());
  const auto topic = world_.Topic("t");
  ASSERT_THAT(topic->partitions, SizeIs(310));
  EXPECT_EQ(topic->partitions[149].epoch, LeaderEpoch(7));
}

TEST_F(TopicControllerTest, TwoGrowthsAtOnceLeaveAWholeTopic) {
  for (const auto& [first, second] : {std::pair(150, 120), std::pair(120, 150)}) {
    TopicWorld world(1);
    ASSERT_TRUE(world.Create({.name = "t", .partitions = 10}).ok());
    std::vector<absl::Status> answers;
    const auto record = [&](const absl::StatusOr<metadata::Revision>& answer) {
      answers.push_back(answer.status());
    };
    world.controller().AddPartitions("t", first, record);
    world.controller().AddPartitions("t", second, record);
    world.Run();
    ASSERT_THAT(answers, SizeIs(2));
    EXPECT_TRUE(answers[0].ok() || answers[1].ok());
    for (const absl::Status& answer : answers) {
      EXPECT_TRUE(answer.ok() || ReasonOf(answer) == Reason::kInvalidPartitions) << answer;
    }
    EXPECT_THAT(world.Topic("t")->partitions, SizeIs(150));
  }
}

TEST_F(TopicControllerTest, TwoConfigChangesAtOnceBothTakeEffect) {
  Made("t", 1);
  int answers = 0;
  for (const char* key : {"label.a", "label.b", "label.c"}) {
    world_.controller().AlterConfig("t", {.set = {{key, "1"}}},
                                    [&](const absl::StatusOr<metadata::Revision>& answer) {
                                      EXPECT_TRUE(answer.ok()) << answer.status();
                                      ++answers;
                                    });
  }
  world_.Run();
  EXPECT_EQ(answers, 3);
  EXPECT_THAT(world_.Topic("t")->configs, SizeIs(3));
}

TEST_F(TopicControllerTest, OfTwoCreationsAtOnceOneWins) {
  std::vector<absl::Status> answers;
  for (int i = 0; i < 2; ++i) {
    world_.controller().Create(
        {.name = "t", .partitions = 150},
        [&](const absl::StatusOr<CreatedTopic>& created) { answers.push_back(created.status()); });
  }
  world_.Run();
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_NE(answers[0].ok(), answers[1].ok());
  EXPECT_EQ(ReasonOf(answers[0].ok() ? answers[1] : answers[0]), Reason::kTopicExists);
  EXPECT_THAT(world_.Topic("t")->partitions, SizeIs(150));
  world_.ExpectNoLeftovers();
}

// Its assignments lay about until the next start.
TEST_F(TopicControllerTest, CreationThatIsRefusedAtTheEndLeavesNothing) {
  constexpr uint64_t kAssignments = 1;
  world_.faults().FailCommit(kAssignments + 1, support::CommitFault::kRefused);
  const auto refused = world_.Create({.name = "t", .partitions = 2});
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kOverloaded) << refused.status();
  world_.ExpectNoLeftovers();
  EXPECT_TRUE(world_.Create({.name = "t", .partitions = 2}).ok());
}

TEST_F(TopicControllerTest, DeletionWaitsForEveryBrokerThatHoldsData) {
  TopicWorld world(3);
  const auto created = world.Create({.name = "t", .partitions = 150, .replicas = 2});
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_TRUE(world.Delete("t").ok());
  const auto deletion = world.Image()->deletions.at(created->id);
  EXPECT_EQ(deletion.name, "t");
  EXPECT_EQ(deletion.partitions, 150);
  EXPECT_THAT(deletion.brokers, ElementsAre(BrokerId(0), BrokerId(1), BrokerId(2)));
  EXPECT_EQ(world.Topic("t")->state, metadata::TopicState::kDeleting);

  for (const int32_t broker : {0, 0, 7, 2}) {
    ASSERT_TRUE(world.ConfirmDeleted(created->id, BrokerId(broker)).ok());
  }
  EXPECT_THAT(world.Image()->deletions.at(created->id).brokers, ElementsAre(BrokerId(1)));
  ASSERT_TRUE(world.ConfirmDeleted(created->id, BrokerId(1)).ok());
  EXPECT_THAT(world.Image()->deletions, IsEmpty());
  EXPECT_THAT(world.List(""), SizeIs(3));  // The brokers.
  EXPECT_TRUE(world.ConfirmDeleted(created->id, BrokerId(1)).ok());
}

TEST_F(TopicControllerTest, DamagedRecordIsToldByKeyAndNothingIsChanged) {
  const TopicId id = Made("t", 3);
  world_.Put(metadata::AssignmentKey(id, 0), "damage");
  const auto deleted = world_.Delete("t");
  EXPECT_FALSE(deleted.ok());
  EXPECT_THAT(std::string(deleted.status().message()), HasSubstr(metadata::AssignmentKey(id, 0)));
  EXPECT_THAT(world_.List(metadata::kDeletionsPrefix), IsEmpty());
}

/// One operation, the state it begins in, and how a topic looks before and after it.
struct Operation {
  std::string name;
  std::function<void(TopicWorld&)> prepare;
  std::function<absl::Status(TopicWorld&)> run;
  std::function<bool(TopicWorld&)> is_old;
  std::function<bool(TopicWorld&)> is_new;
};

void PrintTo(const Operation& operation, std::ostream* out) { *out << operation.name; }

size_t PartitionsOf(TopicWorld& world) {
  const auto topic = world.Topic("t");
  return topic == nullptr ? 0 : topic->partitions.size();
}
bool IsDeleting(TopicWorld& world) {
  const auto topic = world.Topic("t");
  return topic != nullptr && topic->state == metadata::TopicState::kDeleting;
}
void MakeTopic(TopicWorld& world) {
  ASSERT_TRUE(world.Create({.name = "t", .partitions = 150}).ok());
}
void MakeDeletedTopic(TopicWorld& world) {
  MakeTopic(world);
  const TopicId id = world.Topic("t")->id;
  for (int32_t i = 0; i < 150; ++i) {
    world.Put(metadata::PartitionStateKey({.topic_id = id, .partition = PartitionId(i)}),
              metadata::Encode(metadata::PartitionStateRecord{.in_sync = {BrokerId(0)}}));
  }
  ASSERT_TRUE(world.Delete("t").ok());
}

std::vector<Operation> Operations() {
  const auto has_partitions = [](size_t count) {
    return [count](TopicWorld& world) { return PartitionsOf(world) == count; };
  };
  const auto has_label = [](size_t count) {
    return [count](TopicWorld& world) { return world.Topic("t")->configs.size() == count; };
  };
  return {
      {.name = "Create",
       .prepare = [](TopicWorld&) {},
       .run =
           [](TopicWorld& world) {
             return world.Create({.name = "t", .partitions = kPartitionsMax}).status();
           },
       .is_old = has_partitions(0),
       .is_new = has_partitions(kPartitionsMax)},
      {.name = "Grow",
       .prepare = MakeTopic,
       .run = [](TopicWorld& world) { return world.Grow("t", kPartitionsMax).status(); },
       .is_old = has_partitions(150),
       .is_new = has_partitions(kPartitionsMax)},
      {.name = "AlterConfig",
       .prepare = MakeTopic,
       .run =
           [](TopicWorld& world) {
             return world.Alter("t", {.set = {{"label.a", "1"}}}).status();
           },
       .is_old = has_label(0),
       .is_new = has_label(1)},
      {.name = "Delete",
       .prepare = MakeTopic,
       .run = [](TopicWorld& world) { return world.Delete("t").status(); },
       .is_old = [](TopicWorld& world) { return PartitionsOf(world) == 150 && !IsDeleting(world); },
       .is_new = IsDeleting},
      {.name = "ConfirmDeleted",
       .prepare = MakeDeletedTopic,
       .run =
           [](TopicWorld& world) {
             return world.ConfirmDeleted(world.Topic("t")->id, BrokerId(0));
           },
       .is_old = IsDeleting,
       .is_new = [](TopicWorld& world) { return world.Topic("t") == nullptr; }},
      {.name = "CreateOverADeletedOne",
       .prepare = MakeDeletedTopic,
       .run =
           [](TopicWorld& world) { return world.Create({.name = "t", .partitions = 2}).status(); },
       .is_old = IsDeleting,
       .is_new = [](TopicWorld& world) { return PartitionsOf(world) == 2 && !IsDeleting(world); }},
  };
}

/// Every operation, hurt in each of its commits in turn.
class TopicFaultTest : public ::testing::TestWithParam<Operation> {
 protected:
  enum class Kind { kFailure, kDeath };

  /// Returns false when the operation has fewer than `nth` commits.
  static bool HurtCommit(uint64_t nth, Kind kind, support::CommitFault fault) {
    const Operation& operation = GetParam();
    TopicWorld world(1);
    operation.prepare(world);
    const uint64_t before = world.faults().commits();
    if (kind == Kind::kDeath) {
      world.faults().DieInCommit(nth, fault);
    } else {
      world.faults().FailCommit(nth, fault);
    }
    const absl::Status answer = operation.run(world);
    const bool was_hurt = world.faults().commits() >= before + nth;
    // Before the restart: what other brokers see in the meantime.
    EXPECT_TRUE(operation.is_old(world) || operation.is_new(world)) << "half visible";
    EXPECT_TRUE(!answer.ok() || operation.is_new(world)) << "answered, not there";
    world.Restart();
    EXPECT_TRUE(operation.is_old(world) || operation.is_new(world)) << "half there";
    EXPECT_TRUE(!answer.ok() || operation.is_new(world)) << "answered, then lost";
    world.ExpectNoLeftovers();
    EXPECT_TRUE(operation.is_new(world) || operation.run(world).ok()) << "cannot be repeated";
    EXPECT_TRUE(operation.is_new(world));
    return was_hurt;
  }

  /// How many commits there were to hurt.
  static uint64_t HurtEveryCommit(Kind kind, support::CommitFault fault) {
    uint64_t nth = 1;
    while (HurtCommit(nth, kind, fault) && !HasFailure()) ++nth;
    return nth - 1;
  }
};

INSTANTIATE_TEST_SUITE_P(Operations, TopicFaultTest, testing::ValuesIn(Operations()),
                         [](const auto& operation) { return operation.param.name; });

TEST_P(TopicFaultTest, DeathBeforeACommitLeavesOldOrNew) {
  EXPECT_GT(HurtEveryCommit(Kind::kDeath, support::CommitFault::kLostRequest), 0U);
}

TEST_P(TopicFaultTest, DeathAfterACommitLeavesOldOrNew) {
  EXPECT_GT(HurtEveryCommit(Kind::kDeath, support::CommitFault::kLostReply), 0U);
}

TEST_P(TopicFaultTest, LostRequestLeavesOldOrNew) {
  EXPECT_GT(HurtEveryCommit(Kind::kFailure, support::CommitFault::kLostRequest), 0U);
}

TEST_P(TopicFaultTest, LostReplyLeavesOldOrNew) {
  EXPECT_GT(HurtEveryCommit(Kind::kFailure, support::CommitFault::kLostReply), 0U);
}

}  // namespace
}  // namespace talosmq::controller
