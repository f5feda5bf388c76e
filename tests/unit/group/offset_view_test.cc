#include "group/offset_view.h"

#include "kv/store.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::group {
namespace {

constexpr TopicPartition kLog{TopicId({1}), PartitionId(3)};
constexpr TopicPartition kOther{TopicId({1}), PartitionId(4)};

EncodedChange Commit(const std::string& group, int64_t offset) {
  return Encode(OffsetChange{.key = {.group = group, .partition = kOther},
                             .value = CommittedOffset{.offset = Offset(offset)}});
}
EncodedChange Gone(const std::string& group) {
  return Encode(OffsetChange{.key = {.group = group, .partition = kOther}, .value = std::nullopt});
}

class OffsetViewTest : public testing::Test {
 protected:
  OffsetView View(const TopicPartition& log = kLog) { return OffsetViews(*store_).Of(log); }

  /// Committed offsets by group.
  static std::map<std::string, int64_t> OffsetsOf(const LoadedView& view) {
    std::map<std::string, int64_t> offsets;
    for (const Change& change : view.changes) {
      const auto& offset = std::get<OffsetChange>(change);
      offsets[offset.key.group] = offset.value->offset.value();
    }
    return offsets;
  }

  const std::unique_ptr<kv::MemoryStore> store_ = kv::MakeMemoryStore();
};

TEST_F(OffsetViewTest, ThereIsNoneBeforeTheFirstRecords) {
  const auto view = View().Load();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_FALSE(view->has_value());
}

TEST_F(OffsetViewTest, NewestChangeOfEachKeyIsKept) {
  ASSERT_TRUE(View().Apply({Commit("a", 1), Commit("b", 2)}, {Offset(2), LeaderEpoch(1)}).ok());
  ASSERT_TRUE(View().Apply({Commit("a", 7), Gone("b")}, {Offset(4), LeaderEpoch(2)}).ok());
  const auto view = View().Load();
  ASSERT_TRUE(view.ok() && view->has_value());
  EXPECT_EQ((*view)->point, (ViewPoint{Offset(4), LeaderEpoch(2)}));
  EXPECT_EQ(OffsetsOf(**view), (std::map<std::string, int64_t>{{"a", 7}}));
  EXPECT_FALSE(View(kOther).Load()->has_value()) << "it is the view of another partition";
}

TEST_F(OffsetViewTest, MoreThanOnePageIsRead) {
  std::vector<EncodedChange> changes;
  for (int i = 0; i < 2500; ++i) changes.push_back(Commit("g" + std::to_string(i), i));
  ASSERT_TRUE(View().Apply(changes, {Offset(2500), LeaderEpoch(1)}).ok());
  EXPECT_EQ(OffsetsOf(**View().Load()).size(), 2500u);
}

// Whatever a power cut takes, what is left is the view as of its own point.
TEST_F(OffsetViewTest, PowerCutLeavesAnOlderView) {
  constexpr int64_t kBatches = 5;
  for (size_t kept = 0;; ++kept) {
    const auto store = kv::MakeMemoryStore();
    OffsetView view = OffsetViews(*store).Of(kLog);
    for (int64_t i = 1; i <= kBatches; ++i) {
      ASSERT_TRUE(view.Apply({Commit("a", i)}, {Offset(i), LeaderEpoch(1)}).ok());
    }
    if (kept > store->unsynced()) break;
    store->CutPower(kept);
    const auto left = view.Load();
    ASSERT_TRUE(left.ok()) << left.status();
    if (!left->has_value()) continue;
    EXPECT_EQ(OffsetsOf(**left).at("a"), (*left)->point.next.value()) << kept << " writes are left";
  }
}

TEST_F(OffsetViewTest, DroppedViewIsNoneAtWhateverPointPowerIsCut) {
  std::vector<EncodedChange> changes;
  for (int i = 0; i < 2500; ++i) changes.push_back(Commit("g" + std::to_string(i), i));
  for (size_t kept = 1;; ++kept) {
    const auto store = kv::MakeMemoryStore();
    OffsetView view = OffsetViews(*store).Of(kLog);
    ASSERT_TRUE(view.Apply(changes, {Offset(2500), LeaderEpoch(1)}).ok());
    ASSERT_TRUE(view.Drop().ok());
    if (kept > store->unsynced()) break;
    store->CutPower(kept);
    const auto left = view.Load();
    ASSERT_TRUE(left.ok()) << left.status();
    const size_t offsets = left->has_value() ? OffsetsOf(**left).size() : 2500;
    EXPECT_EQ(offsets, 2500u) << kept << " writes are left";
  }
}

TEST_F(OffsetViewTest, PointThatCannotBeReadIsToldByItsKey) {
  kv::WriteBatch batch;
  batch.Put("point/" + kLog.ToString(), "x");
  ASSERT_TRUE(store_->Write(batch, kv::Durability::kUnsynced).ok());
  const auto view = View().Load();
  EXPECT_EQ(ReasonOf(view.status()), Reason::kCorruptData);
  EXPECT_NE(view.status().ToString().find(kLog.ToString()), std::string::npos);
}

}  // namespace
}  // namespace talosmq::group
