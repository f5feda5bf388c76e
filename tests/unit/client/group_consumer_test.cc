// The facades of group members with their real threads; the group and the log are the test's.

#include "talosmq/group_consumer.h"

#include "client/connect.h"
#include "talosmq/error.h"
#include "talosmq/group_push_consumer.h"

#include "unit/client/group_transport.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::client {
namespace {

/// A notification that ThreadSanitizer sees: Abseil's lies in a library that is built without it.
class Signal {
 public:
  void Notify() {
    is_given_ = true;
    is_given_.notify_all();
  }
  void WaitForNotification() const { is_given_.wait(false); }

 private:
  std::atomic<bool> is_given_ = false;
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr absl::Duration kLong = absl::Minutes(1);

NamedPartition P(int32_t number) { return {.topic = "events", .partition = PartitionId(number)}; }

class GroupConsumerTest : public ::testing::Test {
 protected:
  GroupConsumerTest() {
    auto transport = std::make_unique<GroupTransport>(2);
    net_ = transport.get();
    auto client = ConnectWithTransport(std::move(transport), {.server = "seed:1"});
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  GroupOptions Member() {
    return {.group = "billing", .subscription = {.topics = {"events"}, .patterns = {}}};
  }
  std::unique_ptr<GroupConsumer> Join(GroupConsumerOptions options) {
    options.member = Member();
    options.member.close_timeout = close_timeout_;
    options.auto_commit = auto_commit_;
    auto consumer = GroupConsumer::Create(*client_, std::move(options));
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  }
  static PartitionsCallback Note(std::vector<std::string>& told, std::string what) {
    return [&told, what = std::move(what)](const std::vector<NamedPartition>& partitions) {
      std::string line = what;
      for (const NamedPartition& partition : partitions) {
        line += " " + std::to_string(partition.partition.value());
      }
      told.push_back(std::move(line));
    };
  }
  /// "PARTITION:OFFSET" of as many records.
  static std::vector<std::string> Read(GroupConsumer& consumer, size_t count) {
    std::vector<std::string> read;
    while (read.size() < count) {
      const auto polled = consumer.Poll(kLong);
      EXPECT_TRUE(polled.ok()) << polled.status();
      if (!polled.ok()) break;
      for (const GroupBatch& batch : polled->batches) {
        for (const ConsumedRecord& record : batch.records.records()) {
          read.push_back(std::to_string(batch.partition.partition.value()) + ":" +
                         std::to_string(record.offset.value()));
        }
      }
    }
    return read;
  }
  static void PollUntil(GroupConsumer& consumer, const std::function<bool()>& done) {
    while (!done()) EXPECT_TRUE(consumer.Poll(absl::Milliseconds(5)).ok());
  }

  GroupTransport* net_ = nullptr;
  std::unique_ptr<Client> client_;
  absl::Duration close_timeout_ = absl::Seconds(10);
  bool auto_commit_ = true;
};

TEST_F(GroupConsumerTest, WhatWasPolledIsCommittedBeforeItsPartitionGoes) {
  std::vector<std::string> told;
  net_->Store(3);
  net_->Assign({0, 1});
  const auto consumer =
      Join({.on_assigned = Note(told, "assigned"), .on_revoked = [&](const auto& partitions) {
              Note(told, "revoked")(partitions);
              EXPECT_THAT(net_->committed(), ElementsAre(Pair(0, 3)));
            }});
  while (consumer->positions().size() < 2) ASSERT_TRUE(consumer->Poll(absl::ZeroDuration()).ok());
  ASSERT_TRUE(consumer->Pause(P(1)).ok());
  PollUntil(*consumer, [&] { return consumer->position(P(0)).value() == Offset(3); });
  net_->Assign({1});
  PollUntil(*consumer, [&] { return told.size() == 2; });
  EXPECT_THAT(told, ElementsAre("assigned 0 1", "revoked 0"));
  net_->AwaitOwned({1});
}

TEST_F(GroupConsumerTest, PauseAndSeekWithinOnAssignedHold) {
  net_->Store(5);
  net_->Assign({0, 1});
  std::unique_ptr<GroupConsumer> consumer;
  consumer = Join({.on_assigned = [&](const std::vector<NamedPartition>& /*partitions*/) {
    EXPECT_TRUE(consumer->Pause(P(0)).ok());
    EXPECT_TRUE(consumer->Seek(P(1), Offset(3)).ok());
    net_->Assign({1});
  }});
  EXPECT_THAT(Read(*consumer, 2), ElementsAre("1:3", "1:4"));
  PollUntil(*consumer, [&] { return consumer->positions().size() == 1; });
}

TEST_F(GroupConsumerTest, WhatIsLostIsToldAndReadAnewFromWhatIsCommitted) {
  std::vector<std::string> told;
  auto_commit_ = false;
  net_->Store(3);
  net_->Assign({0});
  const auto consumer =
      Join({.on_assigned = Note(told, "assigned"), .on_lost = Note(told, "lost")});
  EXPECT_THAT(Read(*consumer, 3), ElementsAre("0:0", "0:1", "0:2"));
  ASSERT_TRUE(consumer->CommitSync({{.partition = P(0), .offset = Offset(1)}}).ok());
  net_->Forget({0});
  EXPECT_THAT(Read(*consumer, 2), ElementsAre("0:1", "0:2"));
  EXPECT_THAT(told, ElementsAre("assigned 0", "lost 0", "assigned 0"));
}

TEST_F(GroupConsumerTest, ACommitThatFailedIsHandedOverAgain) {
  auto_commit_ = false;
  net_->Store(3);
  net_->Assign({0});
  const auto consumer = Join({});
  Read(*consumer, 3);
  net_->RefuseCommit(v1::REASON_ILLEGAL_GENERATION);
  EXPECT_EQ(ReasonOf(consumer->CommitSync()), Reason::kIllegalGeneration);
  EXPECT_THAT(net_->committed(), IsEmpty());
  EXPECT_TRUE(consumer->CommitSync().ok());
  EXPECT_THAT(net_->committed(), ElementsAre(Pair(0, 3)));
}

TEST_F(GroupConsumerTest, WhatIsFetchedAheadIsBounded) {
  net_->Store(3);
  net_->Assign({0});
  const auto consumer = Join({.prefetch_bytes = 1 << 20});
  Read(*consumer, 3);
  EXPECT_LE(net_->credit_bytes(), (1 << 20) + 4096) << "but for what was taken";
}

TEST_F(GroupConsumerTest, CloseEndsInTimeWhenNobodyAnswers) {
  close_timeout_ = absl::Milliseconds(100);
  net_->Store(3);
  net_->Assign({0});
  const auto consumer = Join({});
  Read(*consumer, 3);
  net_->FallSilent();
  std::optional<Reason> told;
  consumer->CommitAsync([&](const absl::Status& status) { told = ReasonOf(status); });
  EXPECT_EQ(ReasonOf(consumer->Close()), Reason::kDeadlineExceeded);
  EXPECT_EQ(told, Reason::kDeadlineExceeded);
}

TEST_F(GroupConsumerTest, CallbacksThatPollOrCloseAreRefused) {
  net_->Store(1);
  net_->Assign({0});
  std::vector<Reason> told;
  std::unique_ptr<GroupConsumer> consumer;
  const auto callback = [&](const std::vector<NamedPartition>& /*partitions*/) {
    told.push_back(ReasonOf(consumer->Poll(absl::ZeroDuration()).status()));
    told.push_back(ReasonOf(consumer->Close()));
  };
  consumer = Join({.on_assigned = callback, .on_revoked = callback, .on_lost = callback});
  EXPECT_THAT(Read(*consumer, 1), ElementsAre("0:0"));
  net_->Forget({0});
  PollUntil(*consumer, [&] { return told.size() == 6; });
  EXPECT_TRUE(consumer->Close().ok());
  EXPECT_EQ(told, std::vector<Reason>(8, Reason::kInvalidArgument));
}

/// Does what the test says, and tells when it was shut down.
class TestProcessor final : public GroupProcessor {
 public:
  using Work = std::function<absl::Status(const RecordBatchView&)>;
  TestProcessor(Work work, std::function<void(Reason)> on_shut_down)
      : work_(std::move(work)), on_shut_down_(std::move(on_shut_down)) {}
  void Init(const NamedPartition& /*partition*/, Offset /*start*/) override {}
  absl::Status Process(const RecordBatchView& records, Checkpointer& /*checkpointer*/) override {
    return work_(records);
  }
  void Shutdown(const absl::Status& why, Checkpointer& /*checkpointer*/) override {
    if (on_shut_down_) on_shut_down_(ReasonOf(why));
  }

 private:
  const Work work_;
  const std::function<void(Reason)> on_shut_down_;
};

class GroupPushConsumerTest : public GroupConsumerTest {
 protected:
  std::unique_ptr<GroupPushConsumer> Push(TestProcessor::Work work,
                                          std::function<void(Reason)> on_shut_down) {
    auto consumer = GroupPushConsumer::Create(
        *client_, {.member = Member(),
                   .new_processor =
                       [work, on_shut_down](const NamedPartition& /*partition*/) {
                         return std::make_unique<TestProcessor>(work, on_shut_down);
                       },
                   .commit_records = 1});
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  }
};

TEST_F(GroupPushConsumerTest, AfterALossNothingIsProcessedOrCommitted) {
  net_->Store(3);
  net_->Assign({0});
  Signal entered;
  Signal go;
  Signal shut_down;
  std::vector<int64_t> processed;
  Reason why = Reason::kNone;
  const auto consumer = Push(
      [&](const RecordBatchView& records) {
        processed.push_back(records.records().front().offset.value());
        entered.Notify();
        go.WaitForNotification();
        return absl::OkStatus();
      },
      [&](Reason reason) {
        why = reason;
        shut_down.Notify();
      });
  entered.WaitForNotification();
  net_->Forget({});
  go.Notify();
  shut_down.WaitForNotification();
  EXPECT_THAT(processed, ElementsAre(0));
  EXPECT_EQ(why, Reason::kUnknownMember);
  net_->AwaitOwned({});
  EXPECT_TRUE(consumer->Stop().ok());
  EXPECT_THAT(net_->committed(), IsEmpty());
}

TEST_F(GroupPushConsumerTest, WhatIsProcessedIsCommittedWhenItStops) {
  net_->Store(3);
  net_->Assign({0, 1});
  const auto consumer = Push([](const RecordBatchView&) { return absl::OkStatus(); }, {});
  net_->AwaitCommitted(0, 3);
  net_->AwaitCommitted(1, 3);
  EXPECT_TRUE(consumer->Stop().ok());
  EXPECT_TRUE(net_->has_left());
  EXPECT_TRUE(consumer->Stop().ok());
}

TEST_F(GroupPushConsumerTest, StoppedWhilePartitionsAreAssignedItLeavesAll) {
  for (int round = 0; round < 20; ++round) {
    net_->Store(3);
    net_->Assign({0});
    auto consumer = Push([](const RecordBatchView&) { return absl::OkStatus(); }, {});
    net_->Assign({0, 1});
    EXPECT_TRUE(consumer->Stop().ok());
    EXPECT_THAT(consumer->positions(), IsEmpty());
  }
}

TEST_F(GroupPushConsumerTest, AProcessorThatStopsItsConsumerAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        net_->Store(1);
        Signal made;
        std::unique_ptr<GroupPushConsumer> consumer;
        consumer = Push(
            [&](const RecordBatchView&) {
              made.WaitForNotification();
              return consumer->Stop();
            },
            {});
        made.Notify();
        net_->Assign({0});
        net_->AwaitCommitted(0, 1);
      },
      "stopped by its own callback");
}

}  // namespace
}  // namespace talosmq::client
