// The view of committed offsets against the log that it copies: random histories with kills, power
// cuts, tombstones that compaction takes, and views that are lost, old or of another history.

#include "group/group_records.h"
#include "group/offset_view.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {
namespace {

constexpr int kSeeds = 40;
constexpr int kSteps = 60;
constexpr size_t kGroups = 3;
constexpr int32_t kPartitions = 2;
/// Rolls a segment of the log, and outlives its tombstones.
constexpr absl::Duration kLongPause = absl::Hours(24 * 8);

/// What groups have committed, by group and partition.
using Committed = std::map<std::pair<std::string, PartitionId>, Offset>;

/// Names of groups that share a partition of the topic of offsets.
std::vector<std::string> GroupsOfOnePartition() {
  std::vector<std::string> names = {"g0"};
  for (int i = 1; names.size() < kGroups; ++i) {
    const std::string name = "g" + std::to_string(i);
    if (group::PartitionOfGroup(name) == group::PartitionOfGroup("g0")) names.push_back(name);
  }
  return names;
}

class History {
 public:
  explicit History(unsigned seed) : dice_(seed), groups_(GroupsOfOnePartition()) {
    harness_.options().groups.offsets_retention = absl::InfiniteDuration();
    harness_.Start();
    orders_ = harness_.CreateTopic("orders", kPartitions);
    EXPECT_TRUE(Fetch("g0").ok()) << "the first call makes the topic of the offsets";
    log_ = {.topic_id = harness_.broker().topics().image()->FindTopic(group::kOffsetsTopic)->id,
            .partition = group::PartitionOfGroup("g0")};
  }

  enum class ViewFound { kNone, kOld, kForeign, kAsItWas };

  void Step() {
    switch (Roll(10)) {
      case 0:
        return Delete(AnyGroup());
      case 1:
      case 2:
        return Pause();
      case 3:
        return KeepView();
      case 4:
        return Restart(static_cast<ViewFound>(Roll(4)));
      default:
        return Commit(AnyGroup());
    }
  }

  void KeepView() { old_view_ = *View().Load(); }

  void Restart(ViewFound view) {
    if (Roll(2) == 0) {
      harness_.Kill();
    } else {
      harness_.CutPower(support::PowerCut::DropUnsynced());
      kv::MemoryStore& views = harness_.views().memory();
      views.CutPower(Roll(views.unsynced() + 1));
    }
    switch (view) {
      case ViewFound::kNone:
        EXPECT_TRUE(View().Drop().ok());
        break;
      case ViewFound::kOld:
        if (old_view_) Put(*old_view_);
        break;
      case ViewFound::kForeign:
        Put({.point = {.next = Offset(1'000'000), .epoch = LeaderEpoch(1)},
             .changes = {
                 group::OffsetChange{.key = {.group = "g0", .partition = {orders_, PartitionId(0)}},
                                     .value = group::CommittedOffset{.offset = Offset(123'456)}}}});
        break;
      case ViewFound::kAsItWas:
        break;
    }
    harness_.Start();
  }

  void Pause() { harness_.Advance(kLongPause); }
  const std::vector<std::string>& groups() const { return groups_; }

  void Commit(const std::string& group) {
    const PartitionId partition(static_cast<int32_t>(Roll(kPartitions)));
    const Offset offset(static_cast<int64_t>(Roll(1000)));
    group::CommitRequest request{.group = group};
    request.offsets.push_back({.partition = {orders_, partition}, .value = {.offset = offset}});
    auto answer = std::make_shared<Answer<std::vector<absl::Status>>>();
    harness_.broker().groups().Commit(std::move(request), WriteDown(answer));
    harness_.Run();
    ASSERT_TRUE(answer->value.at(0).ok()) << answer->value.at(0);
    committed_[{group, partition}] = offset;
  }

  void Delete(const std::string& group) {
    auto answer = std::make_shared<Answer<absl::Status>>();
    harness_.broker().groups().Delete(group, WriteDown(answer));
    harness_.Run();
    ASSERT_EQ(answer->calls, 1);
    std::erase_if(committed_, [&](const auto& entry) { return entry.first.first == group; });
  }

  /// What the coordinator tells, and what the view holds, is what was committed.
  void Check() {
    for (const std::string& group : groups_) {
      Committed told;
      const auto offsets = Fetch(group);
      ASSERT_TRUE(offsets.ok()) << offsets.status();
      for (const auto& [partition, offset] : *offsets) {
        told[{group, partition.partition}] = offset.offset;
      }
      Committed expected;
      for (const auto& [key, offset] : committed_) {
        if (key.first == group) expected[key] = offset;
      }
      ASSERT_EQ(told, expected) << group;
    }
    const auto view = *View().Load();
    Committed held;
    for (const group::Change& change : view ? view->changes : std::vector<group::Change>()) {
      if (const auto* offset = std::get_if<group::OffsetChange>(&change)) {
        held[{offset->key.group, offset->key.partition.partition}] = offset->value->offset;
      }
    }
    ASSERT_EQ(held, committed_) << "in the view";
  }

 private:
  size_t Roll(size_t sides) { return std::uniform_int_distribution<size_t>(0, sides - 1)(dice_); }
  const std::string& AnyGroup() { return groups_[Roll(kGroups)]; }
  group::OffsetView View() { return group::OffsetViews(harness_.views()).Of(log_); }

  absl::StatusOr<group::Offsets> Fetch(const std::string& group) {
    auto answer = std::make_shared<Answer<absl::StatusOr<group::Offsets>>>();
    harness_.broker().groups().FetchOffsets({.group = group}, WriteDown(answer));
    harness_.Run();
    EXPECT_EQ(answer->calls, 1);
    return std::move(answer->value);
  }

  void Put(const group::LoadedView& view) {
    std::vector<group::EncodedChange> changes;
    for (const group::Change& change : view.changes) changes.push_back(group::Encode(change));
    EXPECT_TRUE(View().Drop().ok());
    EXPECT_TRUE(View().Apply(std::move(changes), view.point).ok());
  }

  std::mt19937 dice_;
  const std::vector<std::string> groups_;
  BrokerHarness harness_;
  TopicId orders_;
  TopicPartition log_;
  Committed committed_;
  std::optional<group::LoadedView> old_view_;
};

// The log no longer tells what has become of the records in such a view.
TEST(GroupViewTest, ViewOlderThanTombstonesThatAreGoneIsNotBelieved) {
  History history(1);
  history.Commit(history.groups()[0]);
  history.KeepView();
  history.Delete(history.groups()[0]);
  for (int i = 0; i < 4; ++i) {
    history.Pause();
    history.Commit(history.groups()[1]);
  }
  history.Restart(History::ViewFound::kOld);
  history.Check();
}

TEST(GroupViewTest, ViewAndCoordinatorAreWhatTheLogSays) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    History history(seed);
    for (int step = 0; step < kSteps; ++step) {
      history.Step();
      history.Check();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace talosmq::broker
