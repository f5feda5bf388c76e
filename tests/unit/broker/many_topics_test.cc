// Retention and compaction on a broker with 10,000 topics: each sweep touches what it has to and
// nothing else, and none is missed.

#include "broker/cleanup_sweep.h"
#include "broker/sweep_clock.h"
#include "storage/segment.h"

#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace talosmq::broker {
namespace {

using support::DiskCall;

constexpr int kTopics = 10'000;
constexpr int kTopicsInUse = 400;  ///< Have records, half of them for each policy.
constexpr int kTopicsAtOnce = 500;

class ManyTopicsTest : public testing::Test {
 protected:
  ManyTopicsTest() { harness_.Start(); }

  /// Every other one is compacted.
  void CreateTopics() {
    for (int first = 0; first < kTopics; first += kTopicsAtOnce) {
      for (int i = first; i < first + kTopicsAtOnce; ++i) {
        harness_.broker().topics().Create(
            {.name = Name(i), .partitions = 1, .replicas = {}, .configs = ConfigsOf(i)},
            absl::InfiniteDuration(),
            [this, i](const absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>& topic) {
              ASSERT_TRUE(topic.ok()) << topic.status();
              logs_[i] = {.topic_id = (*topic)->id, .partition = PartitionId(0)};
            });
      }
      harness_.Run();
    }
    ASSERT_EQ(logs_.size(), size_t{kTopics});
  }
  /// One record to each topic in use.
  void AppendToAll() {
    std::vector<AnswerPtr<AppendOutcome>> appends;
    for (const int i : InUse()) {
      appends.push_back(harness_.Append(logs_[i], {.values = {"a"}, .key = "a"}));
    }
    harness_.Run();
    for (const auto& append : appends) {
      ASSERT_TRUE(append->calls == 1 && append->value.status.ok()) << append->value.status;
    }
  }
  void Restart() {
    harness_.Stop();
    harness_.Start();
  }
  /// Paths that were opened in one sweep.
  std::vector<std::string> OpenedBySweep() {
    std::vector<std::string> opened;
    harness_.disk().SetFaultHook([&](DiskCall call, const std::string& path) {
      if (call == DiskCall::kOpen && path.starts_with("data/topics/")) opened.push_back(path);
      return absl::OkStatus();
    });
    harness_.Advance(harness_.options().cleanup_interval);
    harness_.disk().SetFaultHook(nullptr);
    return opened;
  }
  static std::set<std::string> FoldersOf(const std::vector<std::string>& paths) {
    std::set<std::string> folders;
    for (const std::string& path : paths) folders.insert(io::ParentDirectory(path));
    return folders;
  }
  Offset StartOf(int topic) {
    const auto start = harness_.FindOffset(logs_[topic], FromStart{});
    harness_.Run();
    return start->value.offset;
  }

  static bool IsCompacted(int topic) { return topic % 2 == 1; }
  static std::string Name(int topic) { return "topic-" + std::to_string(topic); }
  static std::map<std::string, std::string> ConfigsOf(int topic) {
    if (!IsCompacted(topic)) return {{"retention.ms", "7200000"}};
    return {{"cleanup.policy", "compact"},
            {"segment.bytes", "1048576"},
            {"max.message.bytes", "1048576"}};
  }
  static std::vector<int> InUse() {
    constexpr int kDistance = kTopics / kTopicsInUse;
    static_assert(kDistance % 2 == 1, "both policies are in use");
    std::vector<int> topics;
    for (int i = 0; i < kTopics; i += kDistance) topics.push_back(i);
    return topics;
  }

  BrokerHarness harness_;
  std::map<int, TopicPartition> logs_;  ///< By number of the topic.
};

TEST_F(ManyTopicsTest, RetentionReachesAllInTimeAndOpensFewAtOnce) {
  CreateTopics();
  AppendToAll();
  Restart();
  std::set<std::string> folders;
  for (size_t sweep = 1; sweep <= kTopicsInUse / CleanupSweep::kColdLogsMax; ++sweep) {
    const auto opened = FoldersOf(OpenedBySweep());
    EXPECT_EQ(opened.size(), CleanupSweep::kColdLogsMax) << "sweep " << sweep;
    folders.insert(opened.begin(), opened.end());
  }
  EXPECT_EQ(folders.size(), size_t{kTopicsInUse}) << "each of them once";
  EXPECT_TRUE(OpenedBySweep().empty()) << "all are known, and none is due";

  harness_.Advance(SweepClock::kStartDoubt);
  for (int hour = 0; hour < 4; ++hour) {
    const size_t opened = OpenedBySweep().size();
    EXPECT_LE(opened, size_t{kTopicsInUse} / 2 * 6) << "files of the logs that are due";
    harness_.Advance(absl::Hours(1));
  }
  int missed = 0;
  for (const int i : InUse()) missed += StartOf(i) == Offset(IsCompacted(i) ? 0 : 1) ? 0 : 1;
  EXPECT_EQ(missed, 0);
  EXPECT_TRUE(OpenedBySweep().empty()) << "nothing is left to do";
}

TEST_F(ManyTopicsTest, CompactionTouchesTheDirtyLogsOnly) {
  constexpr int kDirty = 20;
  CreateTopics();
  AppendToAll();
  std::set<std::string> dirty;
  for (const int i : InUse()) {
    if (!IsCompacted(i) || dirty.size() == kDirty) continue;
    for (int batch = 0; batch < 3; ++batch) {
      harness_.AppendNow(logs_[i], {.values = {std::string(600'000, 'v')}, .key = "b"});
    }
    dirty.insert(storage::LogDirectory("data", logs_[i]));
  }
  ASSERT_EQ(dirty.size(), size_t{kDirty});
  // What the journal holds reaches the segments, and the checkpoint follows.
  for (int second = 0; second < 4; ++second) harness_.Advance(absl::Seconds(1));
  const auto opened = OpenedBySweep();
  EXPECT_EQ(FoldersOf(opened), dirty);
  EXPECT_LE(opened.size(), size_t{kDirty} * 20);
  for (const std::string& folder : dirty) {
    const auto names = *harness_.disk().List(folder);
    EXPECT_TRUE(std::ranges::any_of(names, [](const std::string& name) {
      return name.ends_with("-0000000001.log");
    })) << folder;
  }
  EXPECT_TRUE(OpenedBySweep().empty()) << "nothing is left to do";
}

}  // namespace
}  // namespace talosmq::broker
