#include "support/checkers.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace talosmq::broker {
namespace {

constexpr int kOperations = 60;
constexpr int kPartitions = 2;

/// A random workload on one broker, that writes down what it was told.
class Workload {
 public:
  explicit Workload(uint32_t seed) : random_(seed) { harness_.Start(); }

  BrokerHarness& harness() { return harness_; }

  void CreateTopic() {
    const TopicId id = harness_.CreateTopic("orders", kPartitions);
    for (int i = 0; i < kPartitions; ++i) {
      partitions_.push_back({.topic_id = id, .partition = PartitionId(i)});
    }
  }

  void Run(int operations) {
    for (int i = 0; i < operations; ++i) {
      const TopicPartition& partition = partitions_[Choose(kPartitions)];
      switch (Choose(5)) {
        case 0:
        case 1:
          Append(partition);
          break;
        case 2:
          Fetch(partition);
          break;
        case 3:
          harness_.RunWithoutFlush();
          break;
        default:
          harness_.Advance(absl::Milliseconds(200));
          break;
      }
      Listen();
    }
    harness_.Advance(absl::Seconds(2));
    Listen();
  }

  /// What was acknowledged and seen is there, dense, in order, and once.
  void Check() {
    for (const TopicPartition& partition : partitions_) {
      const std::vector<support::ReadRecord> log = harness_.ReadAll(partition);
      EXPECT_TRUE(durable_.Check(partition, log).ok()) << durable_.Check(partition, log);
      EXPECT_TRUE(committed_.Check(partition, log).ok()) << committed_.Check(partition, log);
      const absl::Status order = order_.Check(partition, Offset(0), log);
      EXPECT_TRUE(order.ok()) << order;
    }
  }

  size_t acknowledged() const { return durable_.acknowledged(); }

 private:
  struct SentBatch {
    TopicPartition partition;
    std::vector<std::string> values;
    AnswerPtr<AppendOutcome> answer;
  };
  struct SentFetch {
    TopicPartition partition;
    int64_t offset;
    AnswerPtr<FetchOutcome> answer;
  };

  size_t Choose(size_t end) { return random_() % end; }

  void Append(const TopicPartition& partition) {
    std::vector<std::string> values;
    const size_t count = 1 + Choose(3);
    for (size_t i = 0; i < count; ++i) {
      values.push_back("value-" + std::to_string(last_value_++));
      order_.Sent(partition, values.back());
    }
    const Acks acks = Choose(2) == 0 ? Acks::kAll : Acks::kLeader;
    batches_.push_back({.partition = partition,
                        .values = values,
                        .answer = harness_.Append(partition, {.values = values}, acks)});
  }

  void Fetch(const TopicPartition& partition) {
    const auto offset = static_cast<int64_t>(Choose(10));
    fetches_.push_back({.partition = partition,
                        .offset = offset,
                        .answer = harness_.Fetch(partition, offset, absl::Milliseconds(100))});
  }

  /// Writes down the answers that have come.
  void Listen() {
    std::erase_if(batches_, [this](const SentBatch& batch) {
      if (batch.answer->calls == 0) return false;
      EXPECT_EQ(batch.answer->calls, 1);
      if (!batch.answer->value.status.ok()) return true;
      for (size_t i = 0; i < batch.values.size(); ++i) {
        const Offset offset = batch.answer->value.base_offset + static_cast<int64_t>(i);
        durable_.Acknowledged(batch.partition, offset, batch.values[i]);
      }
      return true;
    });
    std::erase_if(fetches_, [this](const SentFetch& fetch) {
      if (fetch.answer->calls == 0) return false;
      EXPECT_EQ(fetch.answer->calls, 1);
      const FetchOutcome& outcome = fetch.answer->value;
      if (!outcome.status.ok()) return true;
      const auto records = RecordsIn(outcome.chunks, Offset(fetch.offset));
      const absl::Status read = committed_.Read(fetch.partition, records, outcome.high_watermark);
      EXPECT_TRUE(read.ok()) << read;
      return true;
    });
  }

  BrokerHarness harness_;
  std::mt19937 random_;
  std::vector<TopicPartition> partitions_;
  std::vector<SentBatch> batches_;
  std::vector<SentFetch> fetches_;
  int last_value_ = 0;
  support::DurableChecker durable_;
  support::CommittedReadsChecker committed_;
  support::OrderChecker order_;
};

/// Changes of the disk in the whole workload when nothing dies.
uint64_t ChangesOfWorkload(uint32_t seed) {
  Workload workload(seed);
  workload.CreateTopic();
  const uint64_t before = workload.harness().disk().changes();
  workload.Run(kOperations);
  EXPECT_GT(workload.acknowledged(), 10u);
  return workload.harness().disk().changes() - before;
}

class PowerCutTest : public ::testing::TestWithParam<uint32_t> {};

TEST_P(PowerCutTest, WhereverThePowerGoesTheGuaranteesHold) {
  const uint32_t seed = GetParam();
  const uint64_t changes = ChangesOfWorkload(seed);
  for (uint64_t death = 1; death <= changes; ++death) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", death at change " + std::to_string(death));
    Workload workload(seed);
    workload.CreateTopic();
    workload.harness().disk().DieAtChange(death);
    workload.Run(kOperations);
    workload.harness().CutPower(death % 2 == 0
                                    ? support::PowerCut::Random(seed + death)
                                    : support::PowerCut::RandomWithStaleBlocks(seed + death));
    workload.harness().Start();
    workload.Check();
    // And once more, with what the recovery has left.
    workload.Run(kOperations / 2);
    workload.harness().CutPower(support::PowerCut::DropUnsynced());
    workload.harness().Start();
    workload.Check();
    if (::testing::Test::HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerCutTest, ::testing::Range(1u, 11u));

/// A process that is killed leaves the page cache behind; a failing disk leaves nobody knows what.
TEST(KillTest, KilledAtRandomMomentsTheGuaranteesHold) {
  Workload workload(77);
  workload.CreateTopic();
  for (int round = 0; round < 20; ++round) {
    workload.Run(10);
    workload.harness().Kill();
    workload.harness().Start();
    workload.Check();
  }
}

TEST(FailingDiskTest, AfterEachFailedSyncOrWriteTheGuaranteesHold) {
  for (const support::DiskCall call : {support::DiskCall::kSync, support::DiskCall::kWrite}) {
    for (uint64_t nth = 1; nth <= 12; ++nth) {
      SCOPED_TRACE("call " + std::to_string(static_cast<int>(call)) + " number " +
                   std::to_string(nth));
      Workload workload(static_cast<uint32_t>(nth));
      workload.CreateTopic();
      workload.harness().disk().FailNth(call, nth, support::MemoryFileSystem::IoError("data"));
      workload.Run(kOperations);
      workload.harness().disk().SetFaultHook(nullptr);
      workload.harness().Advance(absl::Minutes(1));
      workload.Check();
      workload.harness().CutPower(support::PowerCut::DropUnsynced());
      workload.harness().Start();
      workload.Check();
    }
  }
}

}  // namespace
}  // namespace talosmq::broker
