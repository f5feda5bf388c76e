// The power goes at every change that the life of topics makes on the disk and in the store.

#include "base/bytes.h"
#include "io/file_system.h"
#include "storage/log_folder.h"
#include "support/checkers.h"

#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace talosmq::broker {
namespace {

using support::PowerCut;

const TopicPartition kOrphan{.topic_id = TopicId({9}), .partition = PartitionId(0)};

/// Creates topics, writes to them, deletes some and creates one anew, and writes down what was
/// acknowledged. Goes on after errors as clients would.
class TopicLife {
 public:
  TopicLife() {
    harness_.Start();
    const std::string folder = "data/topics/" + kOrphan.ToString();
    EXPECT_TRUE(harness_.disk().MakeDirectories(folder).ok());
    EXPECT_TRUE(
        io::WriteFileAtomically(harness_.disk(), folder + "/epochs", base::AsBytes("what")).ok());
    deletion_.Stored(kOrphan);
  }

  void Run() {
    Create("kept", 2);
    Create("gone", 3);
    Create("empty", 1);
    Append("kept");
    Append("gone");
    Delete("gone");
    Delete("empty");
    Create("gone", 1);
    Append("gone");
    Append("kept");
    harness_.Advance(absl::Seconds(2));
  }

  /// After a start: also what is unfinished is finished.
  void Verify() {
    harness_.Advance(absl::Minutes(2));
    support::DeletionChecker::Found found;
    const auto image = harness_.broker().topics().image();
    for (const auto& [name, topic] : image->topics_by_name) found.topics.emplace(name, topic->id);
    const auto folders = storage::ListLogFolders(harness_.disk(), "data");
    ASSERT_TRUE(folders.ok()) << folders.status();
    found.folders = {folders->begin(), folders->end()};
    const absl::Status deletion = deletion_.Check(found);
    EXPECT_TRUE(deletion.ok()) << deletion;
    for (const TopicPartition& log : logs_) {
      const absl::Status durable = durable_.Check(log, harness_.ReadAll(log));
      EXPECT_TRUE(durable.ok()) << log.ToString() << ": " << durable;
    }
    EXPECT_TRUE(image->deletions.empty());
  }

  BrokerHarness& harness() { return harness_; }
  int acknowledged() const { return acknowledged_; }

 private:
  void Create(const std::string& name, int32_t partitions) {
    harness_.broker().topics().Create(
        {.name = name, .partitions = partitions, .replicas = {}, .configs = {}},
        absl::InfiniteDuration(),
        [=, this](const absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>& topic) {
          if (!topic.ok()) return;
          deletion_.Created(name, (*topic)->id);
          ids_[name] = (*topic)->id;
          for (int32_t i = 0; i < partitions; ++i) {
            logs_.insert({.topic_id = (*topic)->id, .partition = PartitionId(i)});
          }
          ++acknowledged_;
        });
    harness_.Run();
  }

  /// One record to each partition.
  void Append(const std::string& name) {
    if (!ids_.contains(name)) return;
    for (const TopicPartition& log : logs_) {
      if (log.topic_id != ids_[name]) continue;
      const std::string value = name + " " + std::to_string(++values_);
      const auto append = harness_.Append(log, {.values = {value}});
      harness_.Run();
      if (append->calls == 0 || !append->value.status.ok()) continue;
      durable_.Acknowledged(log, append->value.base_offset, value);
      deletion_.Stored(log);
      ++acknowledged_;
    }
  }

  void Delete(const std::string& name) {
    if (!ids_.contains(name)) return;
    const TopicId id = ids_[name];
    ids_.erase(name);
    std::erase_if(logs_, [&](const TopicPartition& log) { return log.topic_id == id; });
    deletion_.Deleting(id);
    harness_.broker().topics().Delete(name, absl::InfiniteDuration(),
                                      [id, this](const absl::Status& status) {
                                        if (!status.ok()) return;
                                        deletion_.Deleted(id);
                                        ++acknowledged_;
                                      });
    harness_.Run();
  }

  support::DeletionChecker deletion_;
  support::DurableChecker durable_;
  std::map<std::string, TopicId> ids_;
  std::set<TopicPartition> logs_;  ///< Of topics that nobody has deleted.
  int acknowledged_ = 0;
  int values_ = 0;
  BrokerHarness harness_;  ///< Goes first: it may hold callbacks.
};

/// What a whole life acknowledges: creations, records, deletions.
constexpr int kAcknowledged = 4 + 8 + 2;

TEST(TopicCrashTest, WhereverThePowerGoesTopicsAreThereOrGoneAsAcknowledged) {
  TopicLife whole;
  const uint64_t before = whole.harness().disk().changes();
  whole.Run();
  ASSERT_EQ(whole.acknowledged(), kAcknowledged);
  whole.Verify();
  const uint64_t changes = whole.harness().disk().changes() - before;
  ASSERT_GT(changes, 100u);
  for (uint64_t death = 1; death <= changes; ++death) {
    for (const auto& cut : {PowerCut::DropUnsynced(), PowerCut::Random(death)}) {
      SCOPED_TRACE("death at change " + std::to_string(death));
      TopicLife life;
      life.harness().disk().DieAtChange(death);
      life.Run();
      life.harness().CutPower(cut);
      life.harness().Start();
      life.Verify();
      // And once more, with all that was finished.
      life.harness().CutPower(cut);
      life.harness().Start();
      life.Verify();
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(TopicCrashTest, WithoutMetadataNothingIsDeleted) {
  TopicLife life;
  life.Run();
  BrokerHarness& harness = life.harness();
  const auto before = storage::ListLogFolders(harness.disk(), "data");
  ASSERT_TRUE(before.ok() && before->size() > 3) << before.status();
  harness.Kill();
  harness.LoseStore();
  harness.Start();
  // An id is that of no topic, whatever its name.
  harness.CreateTopic("kept", 2);
  harness.Advance(absl::Hours(24 * 30));
  EXPECT_EQ(*storage::ListLogFolders(harness.disk(), "data"), *before);
  EXPECT_EQ(harness.CheckHealthNow().orphans.size(), before->size());
}

}  // namespace
}  // namespace talosmq::broker
