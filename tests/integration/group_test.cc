// Group consumers of the SDK against a real server.

#include "base/mutex.h"
#include "talosmq/admin.h"
#include "talosmq/broadcast_consumer.h"
#include "talosmq/error.h"
#include "talosmq/group_consumer.h"
#include "talosmq/group_push_consumer.h"
#include "talosmq/producer.h"

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/server_fixture.h"
#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace talosmq {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

constexpr int kPollsMax = 600;
constexpr absl::Duration kPollWait = absl::Milliseconds(100);

/// Each test has a group, too.
class GroupTest : public ServerTest {
 protected:
  void SetUp() override {
    client_ = Connect();
    admin_ = Admin::Create(*client_);
  }
  static std::unique_ptr<Client> Connect() {
    auto client =
        Client::Connect({.server = server_->grpc_address(), .metadata_age_max = absl::Seconds(1)});
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  void CreateTopic(int32_t partitions) { CreateTopic(topic_, partitions); }
  void CreateTopic(const std::string& name, int32_t partitions) {
    const auto created = admin_->CreateTopic(
        {.name = name, .partitions = partitions, .replicas = {}, .configs = {}});
    ASSERT_TRUE(created.ok()) << created.status();
  }
  /// Values FIRST, FIRST + 1, ... into a partition.
  void Store(const std::string& topic, int32_t partition, int first, int count) {
    auto producer = RecordProducer::Create(*client_, topic, {});
    ASSERT_TRUE(producer.ok()) << producer.status();
    for (int number = first; number < first + count; ++number) {
      const std::string value = std::to_string(number);
      const auto stored = (*producer)->SendAndWait(PartitionId(partition), {.value = value});
      ASSERT_TRUE(stored.ok()) << stored.status();
    }
  }
  void Store(int32_t partition, int first, int count) { Store(topic_, partition, first, count); }

  GroupOptions Member() const {
    return {.group = topic_, .subscription = {.topics = {topic_}, .patterns = {}}};
  }
  std::unique_ptr<GroupConsumer> Join(GroupConsumerOptions options) {
    auto consumer = GroupConsumer::Create(*client_, std::move(options));
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  }
  std::unique_ptr<GroupConsumer> Join() { return Join({.member = Member()}); }
  NamedPartition P(int32_t number) const {
    return {.topic = topic_, .partition = PartitionId(number)};
  }

  /// Polls until `done` holds; "partition:value" of what came.
  static std::vector<std::string> PollUntil(GroupConsumer& consumer,
                                            const std::function<bool(size_t read)>& done) {
    std::vector<std::string> read;
    for (int polls = 0; polls < kPollsMax && !done(read.size()); ++polls) {
      const auto polled = consumer.Poll(kPollWait);
      EXPECT_TRUE(polled.ok()) << polled.status();
      if (!polled.ok()) break;
      for (const GroupBatch& batch : polled->batches) {
        for (const ConsumedRecord& record : batch.records.records()) {
          read.push_back(std::to_string(batch.partition.partition.value()) + ":" +
                         std::string(*record.value));
        }
      }
    }
    EXPECT_TRUE(done(read.size()));
    return read;
  }
  static std::vector<std::string> Read(GroupConsumer& consumer, size_t count) {
    return PollUntil(consumer, [count](size_t read) { return read >= count; });
  }
  static int ValueOf(const std::string& record) { return std::stoi(record.substr(2)); }
  static std::set<NamedPartition> Owned(const GroupConsumer& consumer) {
    std::set<NamedPartition> owned;
    for (const GroupPosition& position : consumer.positions()) owned.insert(position.partition);
    return owned;
  }
  /// Both poll until they own so many each.
  static void Share(GroupConsumer& one, GroupConsumer& other, size_t each) {
    for (int polls = 0; polls < kPollsMax; ++polls) {
      EXPECT_TRUE(one.Poll(kPollWait).ok());
      EXPECT_TRUE(other.Poll(kPollWait).ok());
      if (Owned(one).size() == each && Owned(other).size() == each) return;
    }
    ADD_FAILURE() << "one owns " << Owned(one).size() << ", the other " << Owned(other).size();
  }
  /// Of all clients, as the server counts them.
  static size_t WaitingHeartbeats() {
    const auto metrics = httplib::Client("http://" + server_->http_address()).Get("/metrics");
    EXPECT_TRUE(metrics);
    const std::string name =
        "talosmq_listener_held_entries{listener=\"grpc\",what=\"heartbeats\"} ";
    const size_t at = metrics ? metrics->body.find(name) : std::string::npos;
    return at == std::string::npos ? 0 : std::stoul(metrics->body.substr(at + name.size()));
  }
  std::optional<int64_t> CommittedOf(int32_t partition) {
    const auto offsets = admin_->FetchGroupOffsets(topic_, topic_);
    EXPECT_TRUE(offsets.ok()) << offsets.status();
    const auto offset = offsets->find(PartitionId(partition));
    if (offset == offsets->end()) return std::nullopt;
    return offset->second.offset.value();
  }

  std::unique_ptr<Client> client_;
  std::unique_ptr<Admin> admin_;
};

TEST_F(GroupTest, WhoStaysTakesOverFromWhatWasCommittedByWhoLeaves) {
  CreateTopic(4);
  for (const int32_t partition : {0, 1, 2, 3}) Store(partition, 0, 5);
  const auto one = Join();
  Read(*one, 20);
  const auto other = Join();
  Share(*one, *other, 2);
  for (const int32_t partition : {0, 1, 2, 3}) Store(partition, 5, 5);
  for (GroupConsumer* const consumer : {other.get(), one.get()}) {
    // From where the first had come to.
    for (const std::string& record : Read(*consumer, 10)) EXPECT_GE(ValueOf(record), 5) << record;
  }
  ASSERT_TRUE(other->Close().ok());
  for (const int32_t partition : {0, 1, 2, 3}) Store(partition, 10, 5);
  const std::vector<std::string> rest = Read(*one, 20);
  EXPECT_EQ(std::set(rest.begin(), rest.end()).size(), 20U) << "nothing twice";
  for (const std::string& record : rest) EXPECT_GE(ValueOf(record), 10) << record;
  EXPECT_EQ(Owned(*one).size(), 4U);
}

TEST_F(GroupTest, RecordsOfThePollThatWasNotFollowedAreReadAgain) {
  CreateTopic(1);
  Store(0, 0, 3);
  {
    auto consumer = Join({.member = Member(), .auto_commit_interval = absl::Milliseconds(100)});
    Read(*consumer, 3);
    // Behind all that these polls may have handed over to be committed.
    EXPECT_EQ(ReasonOf(consumer->CommitSync(
                  {{.partition = P(0), .offset = Offset(3), .expected = Offset(99)}})),
              Reason::kConflict);
    // Destroyed as by an exception: nobody has said that these are processed.
  }
  const int64_t committed = CommittedOf(0).value_or(0);
  ASSERT_LT(committed, 3);
  const auto again = Join();
  EXPECT_EQ(Read(*again, static_cast<size_t>(3 - committed)).back(), "0:2");
}

TEST_F(GroupTest, WhoTakesOverFromAMemberThatBeganAtTheEndSkipsNothing) {
  CreateTopic(1);
  Store(0, 0, 3);
  GroupConsumerOptions options{.member = Member(), .auto_commit = false};
  options.member.start.otherwise = AtEnd{};
  {
    auto consumer = Join(options);
    PollUntil(*consumer, [&](size_t /*read*/) { return Owned(*consumer).size() == 1; });
    Store(0, 3, 2);
    Read(*consumer, 2);
    // Goes without a commit, as by kill -9.
  }
  Store(0, 5, 1);
  const auto next = Join(options);
  EXPECT_THAT(Read(*next, 3), ElementsAre("0:3", "0:4", "0:5"));
}

TEST_F(GroupTest, CommitsUnderWayEndBeforeTheMemberLeaves) {
  CreateTopic(1);
  Store(0, 0, 3);
  auto consumer = Join({.member = Member(), .auto_commit = false});
  Read(*consumer, 3);
  std::vector<absl::Status> ended;
  for (const int64_t offset : {1, 2, 3}) {
    consumer->CommitAsync({{.partition = P(0), .offset = Offset(offset)}},
                          [&](const absl::Status& status) { ended.push_back(status); });
  }
  ASSERT_TRUE(consumer->Close().ok());
  EXPECT_THAT(ended, ElementsAre(absl::OkStatus(), absl::OkStatus(), absl::OkStatus()));
  EXPECT_EQ(CommittedOf(0), 3);
}

TEST_F(GroupTest, CallbacksThatPollOrCloseAreRefused) {
  CreateTopic(1);
  Store(0, 0, 1);
  std::vector<Reason> told;
  std::unique_ptr<GroupConsumer> consumer;
  const auto callback = [&](const std::vector<NamedPartition>& /*partitions*/) {
    told.push_back(ReasonOf(consumer->Poll(absl::ZeroDuration()).status()));
    told.push_back(ReasonOf(consumer->Close()));
  };
  consumer = Join({.member = Member(), .on_assigned = callback, .on_revoked = callback});
  EXPECT_THAT(Read(*consumer, 1), ElementsAre("0:0"));
  EXPECT_TRUE(consumer->Close().ok());
  EXPECT_THAT(told, ElementsAre(Reason::kInvalidArgument, Reason::kInvalidArgument,
                                Reason::kInvalidArgument, Reason::kInvalidArgument));
}

TEST_F(GroupTest, CloseCommitsWhatWasPolled) {
  CreateTopic(1);
  Store(0, 0, 3);
  auto consumer = Join();
  Read(*consumer, 3);
  ASSERT_TRUE(consumer->Close().ok());
  EXPECT_EQ(CommittedOf(0), 3);
  EXPECT_EQ(ReasonOf(consumer->Poll(absl::ZeroDuration()).status()), Reason::kClosed);
  EXPECT_EQ(ReasonOf(consumer->CommitSync()), Reason::kClosed);
}

TEST_F(GroupTest, CommitsCarryMetadataAndCompare) {
  CreateTopic(1);
  Store(0, 0, 5);
  const auto consumer = Join({.member = Member(), .auto_commit = false});
  Read(*consumer, 5);
  ASSERT_TRUE(consumer
                  ->CommitSync({{.partition = P(0),
                                 .offset = Offset(2),
                                 .metadata = "half",
                                 .expected = kNothingCommitted}})
                  .ok());
  const auto committed = consumer->Committed(P(0));
  ASSERT_TRUE(committed.ok() && committed->has_value()) << committed.status();
  EXPECT_EQ((*committed)->offset, Offset(2));
  EXPECT_EQ((*committed)->metadata, "half");
  EXPECT_EQ(ReasonOf(consumer->CommitSync(
                {{.partition = P(0), .offset = Offset(4), .expected = Offset(3)}})),
            Reason::kConflict);
  EXPECT_EQ(CommittedOf(0), 2);
  absl::Notification done;
  consumer->CommitAsync([&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_EQ(CommittedOf(0), 5);
  EXPECT_EQ(ReasonOf(consumer->CommitSync({{.partition = P(7), .offset = Offset(1)}})),
            Reason::kNotOwner);
}

TEST_F(GroupTest, PausedPartitionsGiveNothingAndSeekMovesOthers) {
  CreateTopic(2);
  Store(0, 0, 3);
  Store(1, 0, 3);
  GroupConsumer* self = nullptr;
  GroupConsumerOptions options{.member = Member()};
  options.on_assigned = [&](const std::vector<NamedPartition>& assigned) {
    EXPECT_EQ(assigned.size(), 2U);
    EXPECT_TRUE(self->Pause(P(0)).ok());
    EXPECT_TRUE(self->Seek(P(1), Offset(1)).ok());
  };
  const auto consumer = Join(std::move(options));
  self = consumer.get();
  EXPECT_THAT(Read(*consumer, 2), ElementsAre("1:1", "1:2"));
  EXPECT_TRUE(consumer->Poll(kPollWait)->empty());
  ASSERT_TRUE(consumer->Resume(P(0)).ok());
  EXPECT_THAT(Read(*consumer, 3), ElementsAre("0:0", "0:1", "0:2"));
  EXPECT_EQ(*consumer->position(P(0)), Offset(3));
}

TEST_F(GroupTest, WhatIsRevokedIsCommittedByItsCallbackBeforeItGoes) {
  CreateTopic(2);
  Store(0, 0, 4);
  Store(1, 0, 4);
  GroupConsumer* self = nullptr;
  std::vector<NamedPartition> revoked;
  GroupConsumerOptions options{.member = Member(), .auto_commit = false};
  options.on_revoked = [&](const std::vector<NamedPartition>& partitions) {
    revoked.insert(revoked.end(), partitions.begin(), partitions.end());
    EXPECT_TRUE(self->CommitSync().ok());
  };
  const auto one = Join(std::move(options));
  self = one.get();
  Read(*one, 8);
  const auto other = Join();
  Share(*one, *other, 1);
  ASSERT_EQ(revoked.size(), 1U);
  EXPECT_EQ(Owned(*other), std::set<NamedPartition>(revoked.begin(), revoked.end()));
  EXPECT_EQ(*other->position(revoked.front()), Offset(4));
}

TEST_F(GroupTest, NewPartitionsAndTopicsThatMatchArePickedUp) {
  CreateTopic(topic_ + "-a", 1);
  Store(topic_ + "-a", 0, 0, 1);
  GroupOptions member = Member();
  member.subscription = {.topics = {}, .patterns = {topic_ + "-.*"}};
  const auto consumer = Join({.member = member});
  Read(*consumer, 1);
  CreateTopic(topic_ + "-b", 1);
  Store(topic_ + "-b", 0, 7, 1);
  EXPECT_THAT(Read(*consumer, 1), ElementsAre("0:7"));
  ASSERT_TRUE(admin_->AddPartitions(topic_ + "-a", 3).ok());
  PollUntil(*consumer, [&](size_t) { return Owned(*consumer).size() == 4; });
  Store(topic_ + "-a", 2, 9, 1);
  EXPECT_THAT(Read(*consumer, 1), ElementsAre("2:9"));
}

TEST_F(GroupTest, ASubscriptionThatMakesNoSenseIsToldByEveryPoll) {
  GroupOptions member = Member();
  member.subscription = {.topics = {}, .patterns = {"(unclosed"}};
  const auto consumer = Join({.member = member});
  absl::Status told;
  for (int polls = 0; polls < kPollsMax && told.ok(); ++polls) {
    told = consumer->Poll(kPollWait).status();
  }
  EXPECT_EQ(ReasonOf(told), Reason::kInvalidArgument) << told;
  EXPECT_EQ(ReasonOf(consumer->Poll(kPollWait).status()), Reason::kInvalidArgument);
}

TEST_F(GroupTest, AResetWhileLiveMovesTheReaders) {
  CreateTopic(1);
  Store(0, 0, 3);
  const auto consumer = Join();
  Read(*consumer, 3);
  EXPECT_EQ(ReasonOf(admin_->ResetGroupOffsets({.group = topic_, .topic = topic_}).status()),
            Reason::kGroupNotEmpty);
  EXPECT_EQ(ReasonOf(admin_
                         ->ResetGroupOffsets(
                             {.group = topic_, .topic = topic_, .to = Offset(9), .force = true})
                         .status()),
            Reason::kOffsetOutOfRange);
  const auto reset =
      admin_->ResetGroupOffsets({.group = topic_, .topic = topic_, .to = Offset(1), .force = true});
  ASSERT_TRUE(reset.ok()) << reset.status();
  EXPECT_EQ(reset->at(PartitionId(0)), Offset(1));
  EXPECT_THAT(Read(*consumer, 2), ElementsAre("0:1", "0:2"));
}

TEST_F(GroupTest, AdministrationTellsMembersOffsetsAndLag) {
  CreateTopic(2);
  Store(0, 0, 5);
  GroupOptions member = Member();
  member.client_id = "tester";
  auto consumer = Join({.member = member, .auto_commit = false});
  Read(*consumer, 5);
  ASSERT_TRUE(consumer->CommitSync({{.partition = P(0), .offset = Offset(2)}}).ok());
  const auto info = admin_->DescribeGroup(topic_);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->summary.kind, GroupKind::kNative);
  EXPECT_EQ(info->summary.state, GroupState::kStable);
  ASSERT_EQ(info->members.size(), 1U);
  EXPECT_EQ(info->members[0].client_id, "tester");
  EXPECT_THAT(info->members[0].host, HasSubstr("127.0.0.1"));
  EXPECT_THAT(info->members[0].owned, ElementsAre(P(0), P(1)));
  ASSERT_EQ(info->partitions.size(), 2U);
  EXPECT_THAT(info->partitions[0].lag(), Optional(3));
  EXPECT_THAT(info->partitions[0].end, Optional(Offset(5)));
  EXPECT_EQ(info->partitions[1].lag(), std::nullopt) << "nothing is committed";
  EXPECT_EQ(ReasonOf(admin_->DeleteGroup(topic_)), Reason::kGroupNotEmpty);
  ASSERT_TRUE(consumer->Close().ok());
  ASSERT_TRUE(admin_->DeleteGroup(topic_).ok());
  EXPECT_EQ(ReasonOf(admin_->DescribeGroup(topic_).status()), Reason::kUnknownGroup);
}

TEST_F(GroupTest, MoreMembersOfOneClientThanAConnectionHasCallsWaitAtTheSameTime) {
  constexpr size_t wanted = 1500;
  CreateTopic(1);
  std::vector<std::unique_ptr<GroupConsumer>> members;
  while (members.size() < wanted) members.push_back(Join());
  size_t waiting = 0;
  for (int polls = 0; polls < kPollsMax && waiting < wanted; ++polls) {
    EXPECT_TRUE(members.front()->Poll(kPollWait).ok());
    waiting = WaitingHeartbeats();
  }
  EXPECT_GE(waiting, wanted);
  const auto info = admin_->DescribeGroup(topic_);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->members.size(), wanted);
}

/// Counts what processors of all partitions were given.
class Counts {
 public:
  void Add(PartitionId partition, const ConsumedRecord& record) {
    const base::MutexLock lock(mutex_);
    ++counts_[std::to_string(partition.value()) + ":" + std::string(*record.value)];
    total_ = counts_.size();
  }
  size_t distinct() const { return total_; }
  std::map<std::string, int> Take() const {
    const base::MutexLock lock(mutex_);
    return counts_;
  }

 private:
  mutable base::Mutex mutex_;
  std::map<std::string, int> counts_ ABSL_GUARDED_BY(mutex_);
  std::atomic<size_t> total_{0};
};

/// Does with each batch what the test says.
class TestProcessor final : public GroupProcessor {
 public:
  using Work = std::function<absl::Status(const RecordBatchView&, Checkpointer&)>;
  explicit TestProcessor(Work work) : work_(std::move(work)) {}
  void Init(const NamedPartition& /*partition*/, Offset /*start*/) override {}
  absl::Status Process(const RecordBatchView& records, Checkpointer& checkpointer) override {
    return work_(records, checkpointer);
  }
  void Shutdown(const absl::Status& /*why*/, Checkpointer& /*checkpointer*/) override {}

 private:
  const Work work_;
};

void AwaitDistinct(const Counts& counts, size_t count) {
  for (int waits = 0; waits < kPollsMax && counts.distinct() < count; ++waits) {
    absl::Notification never;
    never.WaitForNotificationWithTimeout(kPollWait);
  }
  EXPECT_EQ(counts.distinct(), count);
}

TEST_F(GroupTest, ASlowProcessorHoldsBackItsPartitionAlone) {
  CreateTopic(2);
  Store(0, 0, 1);
  absl::Notification go;
  Counts counts;
  GroupPushConsumerOptions options{.member = Member(), .new_processor = {}};
  options.new_processor = [&](const NamedPartition& partition) {
    return std::make_unique<TestProcessor>(
        [&, id = partition.partition](const RecordBatchView& records, Checkpointer&) {
          if (id == PartitionId(0)) go.WaitForNotification();
          for (const ConsumedRecord& record : records.records()) counts.Add(id, record);
          return absl::OkStatus();
        });
  };
  auto consumer = GroupPushConsumer::Create(*client_, std::move(options));
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  Store(1, 0, 20);
  AwaitDistinct(counts, 20);
  go.Notify();
  AwaitDistinct(counts, 21);
  ASSERT_TRUE((*consumer)->Stop().ok());
  EXPECT_EQ(CommittedOf(0), 1);
  EXPECT_EQ(CommittedOf(1), 20);
}

TEST_F(GroupTest, ProcessorsCommitByHandWithinWhatTheyWereGiven) {
  CreateTopic(1);
  Store(0, 0, 5);
  Counts counts;
  GroupPushConsumerOptions options{.member = Member(), .new_processor = {}};
  options.auto_commit = false;
  options.new_processor = [&](const NamedPartition& partition) {
    return std::make_unique<TestProcessor>(
        [&, id = partition.partition](const RecordBatchView& records, Checkpointer& checkpointer) {
          const Offset next = records.records().back().offset + 1;
          EXPECT_EQ(ReasonOf(checkpointer.Commit(next + 1)), Reason::kInvalidArgument);
          if (next == Offset(3)) {
            EXPECT_TRUE(checkpointer.Commit().ok());
            EXPECT_EQ(ReasonOf(checkpointer.Commit(Offset(3))), Reason::kInvalidArgument);
          }
          for (const ConsumedRecord& record : records.records()) counts.Add(id, record);
          return absl::OkStatus();
        });
  };
  auto consumer = GroupPushConsumer::Create(*client_, std::move(options));
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  AwaitDistinct(counts, 5);
  ASSERT_TRUE((*consumer)->Stop().ok());
  EXPECT_EQ(CommittedOf(0), 3);
}

TEST_F(GroupTest, PushedPartitionsMoveWithoutAGap) {
  CreateTopic(4);
  Counts counts;
  const auto start = [&](Client& client) {
    GroupPushConsumerOptions options{.member = Member(), .new_processor = {}};
    options.new_processor = [&](const NamedPartition& partition) {
      return std::make_unique<TestProcessor>(
          [&, id = partition.partition](const RecordBatchView& records, Checkpointer&) {
            for (const ConsumedRecord& record : records.records()) counts.Add(id, record);
            return absl::OkStatus();
          });
    };
    auto consumer = GroupPushConsumer::Create(client, std::move(options));
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  };
  const auto other_client = Connect();
  auto one = start(*client_);
  for (const int32_t partition : {0, 1, 2, 3}) Store(partition, 0, 20);
  auto other = start(*other_client);
  for (const int32_t partition : {0, 1, 2, 3}) Store(partition, 20, 20);
  ASSERT_TRUE(one->Stop().ok());
  for (const int32_t partition : {0, 1, 2, 3}) Store(partition, 40, 20);
  AwaitDistinct(counts, 240);
  ASSERT_TRUE(other->Stop().ok());
  for (const auto& [record, count] : counts.Take()) EXPECT_EQ(count, 1) << record;
}

TEST_F(GroupTest, ABroadcastConsumerGoesOnWhereItsFileSays) {
  CreateTopic(2);
  Store(0, 0, 2);
  Store(1, 0, 2);
  const BroadcastConsumerOptions options{.positions_file = directory_->path() + "/kept"};
  const auto read = [&](size_t count) {
    auto consumer = BroadcastConsumer::Create(*client_, topic_, options);
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    std::vector<std::string> values;
    for (int polls = 0; polls < kPollsMax && values.size() < count; ++polls) {
      const auto polled = (*consumer)->Poll(kPollWait);
      EXPECT_TRUE(polled.ok()) << polled.status();
      for (const RecordBatchView& batch : polled->batches) {
        for (const ConsumedRecord& record : batch.records()) values.emplace_back(*record.value);
      }
    }
    std::ranges::sort(values);
    EXPECT_TRUE((*consumer)->Close().ok());
    return values;
  };
  EXPECT_THAT(read(4), ElementsAre("0", "0", "1", "1"));
  Store(1, 2, 1);
  EXPECT_THAT(read(1), ElementsAre("2"));

  std::ofstream(options.positions_file, std::ios::app) << "more";
  const auto damaged = BroadcastConsumer::Create(*client_, topic_, options);
  EXPECT_EQ(ReasonOf(damaged.status()), Reason::kCorruptData) << damaged.status();
  EXPECT_THAT(std::string(damaged.status().message()), HasSubstr(options.positions_file));
}

TEST_F(GroupTest, ABroadcastConsumerThatBeginsAtTheEndSkipsNothingLater) {
  CreateTopic(1);
  Store(0, 0, 2);
  const BroadcastConsumerOptions options{.positions_file = directory_->path() + "/end",
                                         .start = AtEnd{}};
  // Gone before it has saved anything of its own.
  ASSERT_TRUE(BroadcastConsumer::Create(*client_, topic_, options).ok());
  Store(0, 2, 1);
  ASSERT_TRUE(admin_->AddPartitions(topic_, 2).ok());
  Store(1, 3, 1);
  const auto client = Connect();
  auto consumer = BroadcastConsumer::Create(*client, topic_, options);
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  std::map<int32_t, int64_t> positions;
  for (const PartitionPosition& at : (*consumer)->positions()) {
    positions[at.partition.value()] = at.position.value();
  }
  EXPECT_THAT(positions, ElementsAre(testing::Pair(0, 2), testing::Pair(1, 0)));
}

TEST_F(GroupTest, PositionsOfAnotherTopicAreRefused) {
  CreateTopic(1);
  const BroadcastConsumerOptions options{.positions_file = directory_->path() + "/other"};
  {
    auto consumer = BroadcastConsumer::Create(*client_, topic_, options);
    ASSERT_TRUE(consumer.ok()) << consumer.status();
    ASSERT_TRUE((*consumer)->Close().ok());
  }
  ASSERT_TRUE(admin_->DeleteTopic(topic_).ok());
  CreateTopic(1);
  EXPECT_EQ(ReasonOf(BroadcastConsumer::Create(*client_, topic_, options).status()),
            Reason::kInvalidArgument);
}

}  // namespace
}  // namespace talosmq
