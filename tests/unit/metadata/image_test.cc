#include "metadata/codec.h"
#include "metadata/image_builder.h"
#include "metadata/image_publisher.h"
#include "metadata/keys.h"
#include "metadata/memory/memory_store.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talosmq::metadata {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr size_t kHistoryEvents = 100;

TopicId Id(uint8_t number) {
  std::array<uint8_t, 16> bytes{};
  bytes.back() = number;
  return TopicId(bytes);
}

AssignmentChunk Chunk(size_t partitions) {
  return {std::vector<std::vector<BrokerId>>(partitions, {BrokerId(1), BrokerId(2)})};
}

/// The keys of a topic as its creation leaves them.
std::vector<Operation> TopicKeys(const std::string& name, const TopicId& id, int32_t partitions) {
  std::vector<Operation> puts = {
      {.key = TopicNameKey(name), .value = Encode(TopicNameRecord{id})},
      {.key = TopicKey(id),
       .value = Encode(TopicRecord{.name = name, .partitions = partitions, .replicas = 2})}};
  for (int32_t first = 0; first < partitions; first += kChunkPartitions) {
    const auto count = static_cast<size_t>(std::min(kChunkPartitions, partitions - first));
    puts.push_back(
        {.key = AssignmentKey(id, first / kChunkPartitions), .value = Encode(Chunk(count))});
  }
  return puts;
}

class ImageBuilderTest : public ::testing::Test {
 protected:
  void Apply(const std::vector<Operation>& operations) {
    for (const Operation& operation : operations) {
      WatchEvent::Change change{.key = operation.key, .entry = std::nullopt};
      if (operation.value.has_value()) {
        change.entry = KeyValue{
            .key = operation.key, .value = *operation.value, .mod_revision = Revision{++revision_}};
      }
      builder_.Apply(change);
    }
  }
  std::shared_ptr<const ClusterImage> Image() {
    auto image = builder_.Build(Revision{revision_});
    EXPECT_TRUE(image.ok()) << image.status();
    return std::move(image).value();
  }
  std::string Failure() {
    const auto image = builder_.Build(Revision{revision_});
    EXPECT_EQ(ReasonOf(image.status()), Reason::kCorruptData);
    return std::string(image.status().message());
  }

  ImageBuilder builder_;
  int64_t revision_ = 0;
};

TEST_F(ImageBuilderTest, NameWithoutItsTopicIsDamage) {
  Apply({{.key = TopicNameKey("t"), .value = Encode(TopicNameRecord{Id(1)})}});
  EXPECT_THAT(Failure(), HasSubstr(Id(1).ToString()));
}

TEST_F(ImageBuilderTest, MissingAssignmentsAreDamage) {
  std::vector<Operation> puts = TopicKeys("t", Id(1), 150);
  puts.pop_back();
  Apply(puts);
  EXPECT_THAT(Failure(), HasSubstr("assignments of 150 partitions, found 100"));
}

TEST_F(ImageBuilderTest, DamagedValueIsToldByKeyUntilItIsMended) {
  Apply(TopicKeys("t", Id(1), 3));
  Image();
  Apply({{.key = TopicKey(Id(1)), .value = "damage"}});
  EXPECT_FALSE(builder_.Build(Revision{1}).ok());
  EXPECT_FALSE(builder_.Build(Revision{1}).ok());
  Apply(TopicKeys("t", Id(1), 3));
  EXPECT_NE(Image()->FindTopic("t"), nullptr);
}

TEST_F(ImageBuilderTest, TopicWithoutANameIsNotVisible) {
  std::vector<Operation> puts = TopicKeys("t", Id(1), 3);
  puts.erase(puts.begin());
  Apply(puts);
  EXPECT_THAT(Image()->topics_by_id, IsEmpty());
}

TEST_F(ImageBuilderTest, FreshPartitionsHaveTheDefaultState) {
  Apply(TopicKeys("t", Id(1), 150));
  const auto topic = Image()->FindTopic(Id(1));
  ASSERT_THAT(topic->partitions, SizeIs(150));
  const PartitionImage& partition = topic->partitions[149];
  EXPECT_EQ(partition.leader, BrokerId(1));
  EXPECT_EQ(partition.epoch, LeaderEpoch(0));
  EXPECT_THAT(partition.in_sync, ElementsAre(BrokerId(1), BrokerId(2)));
  EXPECT_EQ(partition.revision, Revision::kNone);
}

TEST_F(ImageBuilderTest, StateKeySaysWhoLeads) {
  Apply(TopicKeys("t", Id(1), 3));
  const PartitionStateRecord state{.leader = BrokerId(2),
                                   .epoch = LeaderEpoch(5),
                                   .in_sync = {BrokerId(2)},
                                   .skipped = {{.first = Offset(3), .next = Offset(7)}}};
  const std::string key = PartitionStateKey({.topic_id = Id(1), .partition = PartitionId(1)});
  Apply({{.key = key, .value = Encode(state)}});
  const auto topic = Image()->FindTopic(Id(1));
  EXPECT_EQ(topic->partitions[1].leader, BrokerId(2));
  EXPECT_EQ(topic->partitions[1].epoch, LeaderEpoch(5));
  EXPECT_EQ(topic->partitions[1].skipped, state.skipped);
  EXPECT_EQ(topic->partitions[1].revision, Revision{revision_});
  EXPECT_EQ(topic->partitions[0].epoch, LeaderEpoch(0));
  Apply({{.key = key}});
  EXPECT_EQ(Image()->FindTopic(Id(1))->partitions[1].epoch, LeaderEpoch(0));
}

TEST_F(ImageBuilderTest, UnchangedTopicsAreSharedBetweenImages) {
  Apply(TopicKeys("t", Id(1), 3));
  Apply(TopicKeys("u", Id(2), 3));
  const auto before = Image();
  Apply({{.key = TopicKey(Id(2)),
          .value = Encode(TopicRecord{
              .name = "u", .partitions = 3, .replicas = 2, .configs = {{"label.a", "1"}}})}});
  const auto after = Image();
  EXPECT_EQ(before->FindTopic("t"), after->FindTopic("t"));
  EXPECT_NE(before->FindTopic("u"), after->FindTopic("u"));
  EXPECT_THAT(before->FindTopic("u")->configs, IsEmpty());
}

TEST_F(ImageBuilderTest, DeletedTopicIsShownUntilItsNameGoes) {
  Apply(TopicKeys("t", Id(1), 3));
  Apply({{.key = TopicKey(Id(1)),
          .value = Encode(TopicRecord{
              .name = "t", .state = TopicState::kDeleting, .partitions = 3, .replicas = 2})},
         {.key = DeletionKey(Id(1)), .value = Encode(DeletionRecord{"t", 3, {BrokerId(1)}})},
         {.key = AssignmentKey(Id(1), 0)}});
  EXPECT_EQ(Image()->FindTopic("t")->state, TopicState::kDeleting);
  EXPECT_THAT(Image()->deletions.at(Id(1)).brokers, ElementsAre(BrokerId(1)));
  Apply({{.key = TopicNameKey("t")}, {.key = TopicKey(Id(1))}, {.key = DeletionKey(Id(1))}});
  EXPECT_THAT(Image()->topics_by_name, IsEmpty());
  EXPECT_THAT(Image()->deletions, IsEmpty());
}

TEST_F(ImageBuilderTest, DeletedTopicIsFoundByItsIdAfterAnotherOneHasTakenItsName) {
  Apply(TopicKeys("t", Id(1), 3));
  Apply({{.key = TopicKey(Id(1)),
          .value = Encode(TopicRecord{
              .name = "t", .state = TopicState::kDeleting, .partitions = 3, .replicas = 2})},
         {.key = DeletionKey(Id(1)), .value = Encode(DeletionRecord{"t", 3, {BrokerId(1)}})}});
  Apply(TopicKeys("t", Id(2), 3));
  EXPECT_EQ(Image()->FindTopic("t")->id, Id(2));
  ASSERT_NE(Image()->FindTopic(Id(1)), nullptr);
  EXPECT_EQ(Image()->FindTopic(Id(1))->state, TopicState::kDeleting);
  Apply({{.key = TopicKey(Id(1))}, {.key = DeletionKey(Id(1))}});
  EXPECT_EQ(Image()->FindTopic(Id(1)), nullptr);
  EXPECT_EQ(Image()->FindTopic("t")->state, TopicState::kActive);
}

TEST_F(ImageBuilderTest, ClusterAndBrokersAreShown) {
  Apply({{.key = std::string(kClusterKey), .value = Encode(ClusterRecord{"c", {}})},
         {.key = BrokerKey(BrokerId(7)), .value = Encode(BrokerRecord{"host:1", 4, "d"})},
         {.key = "dump/jobs/x", .value = "not ours"}});
  const auto image = Image();
  EXPECT_EQ(image->cluster_id, "c");
  EXPECT_EQ(image->brokers.at(BrokerId(7)).grpc_address, "host:1");
  EXPECT_EQ(image->brokers.at(BrokerId(7)).boot_counter, 4);
}

/// A publisher over a store whose history is short.
class ImagePublisherTest : public ::testing::Test {
 protected:
  ~ImagePublisherTest() override {
    if (publisher_ != nullptr) publisher_->Stop();
    Run();
    publisher_.reset();
  }
  void Start() {
    publisher_ = ImagePublisher::Start(*store_, executor_,
                                       [&](const absl::Status& status) { ready_ = status; });
    Run();
  }
  void Run() { support::RunAllUntilIdle({&store_executor_, &executor_}); }
  Revision Commit(std::vector<Operation> operations) {
    Revision revision = Revision::kNone;
    store_->Commit({.compares = {}, .operations = std::move(operations)}, executor_,
                   [&](const absl::StatusOr<CommitResult>& r) { revision = r->revision; });
    Run();
    return revision;
  }

  support::ManualClock clock_;
  support::ManualExecutor store_executor_{clock_};
  support::ManualExecutor executor_{clock_};
  std::unique_ptr<MetadataStore> store_ =
      MakeMemoryStore({.history_events_max = kHistoryEvents}, store_executor_);
  absl::Status ready_ = absl::UnknownError("not ready");
  std::unique_ptr<ImagePublisher> publisher_;
};

TEST_F(ImagePublisherTest, DamageAtTheStartIsToldToWhoWaits) {
  Commit({{.key = TopicNameKey("t"), .value = "damage"}});
  Start();
  EXPECT_EQ(ReasonOf(ready_), Reason::kUnsupportedVersion);
}

TEST_F(ImagePublisherTest, DamageLaterLeavesTheLastImage) {
  Commit(TopicKeys("t", Id(1), 3));
  Start();
  ASSERT_TRUE(ready_.ok()) << ready_;
  const auto before = publisher_->current();
  Commit({{.key = TopicKey(Id(1)), .value = "damage"}});
  EXPECT_EQ(publisher_->current(), before);
}

TEST_F(ImagePublisherTest, ChangesReachReadersAndListenersInOrder) {
  Start();
  ASSERT_TRUE(ready_.ok()) << ready_;
  std::vector<size_t> before_and_after;
  publisher_->AddListener([&](const auto& before, const auto& after) {
    before_and_after.push_back(before->topics_by_name.size());
    before_and_after.push_back(after->topics_by_name.size());
  });
  Run();
  Commit(TopicKeys("t", Id(1), 3));
  Commit(TopicKeys("u", Id(2), 3));
  EXPECT_THAT(before_and_after, ElementsAre(0, 0, 0, 1, 1, 2));
  EXPECT_NE(publisher_->current()->FindTopic("u"), nullptr);
}

TEST_F(ImagePublisherTest, WaitingForARevisionEndsWithItsImage) {
  Start();
  bool reached = false;
  publisher_->WhenReached(Revision{2}, [&] { reached = true; });
  Commit({{.key = "dump/x", .value = "1"}});
  EXPECT_FALSE(reached);
  const Revision revision = Commit(TopicKeys("t", Id(1), 3));
  EXPECT_TRUE(reached);
  bool at_once = false;
  publisher_->WhenReached(revision, [&] { at_once = true; });
  Run();
  EXPECT_TRUE(at_once);
}

TEST_F(ImagePublisherTest, LostHistoryIsMadeUpByListing) {
  Commit(TopicKeys("t", Id(1), 3));
  Start();
  // The publisher stands still while the store's history moves on.
  for (size_t i = 0; i < 4 * kHistoryEvents; ++i) {
    store_->Commit({.compares = {}, .operations = {{.key = "dump/x", .value = "1"}}},
                   store_executor_, [](const absl::StatusOr<CommitResult>&) {});
    store_executor_.RunUntilIdle();
  }
  store_->Commit({.compares = {}, .operations = TopicKeys("u", Id(2), 3)}, store_executor_,
                 [](const absl::StatusOr<CommitResult>&) {});
  store_->Commit({.compares = {}, .operations = {{.key = TopicNameKey("t")}}}, store_executor_,
                 [](const absl::StatusOr<CommitResult>&) {});
  Run();
  EXPECT_NE(publisher_->current()->FindTopic("u"), nullptr);
  EXPECT_EQ(publisher_->current()->FindTopic("t"), nullptr);
  Commit(TopicKeys("v", Id(3), 3));
  EXPECT_NE(publisher_->current()->FindTopic("v"), nullptr);
}

TEST_F(ImagePublisherTest, LargeClusterIsListedInPages) {
  for (uint8_t i = 1; i <= 40; ++i) Commit(TopicKeys("t" + std::to_string(i), Id(i), 3'000));
  Start();
  ASSERT_TRUE(ready_.ok()) << ready_;
  EXPECT_THAT(publisher_->current()->topics_by_name, SizeIs(40));
}

TEST_F(ImagePublisherTest, NothingIsToldAfterStop) {
  Start();
  int told = 0;
  publisher_->AddListener([&](const auto&, const auto&) { ++told; });
  Run();
  publisher_->Stop();
  Commit(TopicKeys("t", Id(1), 3));
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace talosmq::metadata
