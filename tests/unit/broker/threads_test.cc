#include "base/metrics.h"
#include "base/mutex.h"
#include "base/random.h"
#include "metadata/codec.h"
#include "metadata/keys.h"
#include "metadata/memory/memory_store.h"
#include "metadata/records.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace talosmq::broker {
namespace {

/// Counts down to zero and lets a thread wait for it.
class Latch {
 public:
  explicit Latch(int count) : count_(count) {}
  void Down() {
    const base::MutexLock lock(mutex_);
    if (--count_ == 0) zero_.SignalAll();
  }
  void Wait() {
    const base::MutexLock lock(mutex_);
    while (count_ > 0) zero_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar zero_;
  int count_ ABSL_GUARDED_BY(mutex_);
};

/// The broker on real threads, for ThreadSanitizer and for what only real interleavings find.
class ThreadsTest : public ::testing::Test {
 protected:
  ThreadsTest()
      : flush_({.name = "flush"}),
        write_back_({.name = "write-back"}),
        compaction_({.name = "compaction"}),
        io_({.name = "io"}),
        shard0_({.name = "shard0"}),
        shard1_({.name = "shard1"}),
        admin_({.name = "admin"}),
        store_executor_({.name = "store"}),
        kv_(kv::MakeMemoryStore()),
        metrics_(base::MakeNullMetricRegistry()),
        store_(metadata::MakeMemoryStore({}, store_executor_)) {}

  void SetUp() override {
    Register();
    Latch ready(1);
    images_ =
        metadata::ImagePublisher::Start(*store_, admin_, [&ready](const absl::Status& status) {
          EXPECT_TRUE(status.ok()) << status;
          ready.Down();
        });
    ready.Wait();
    controller_ = std::make_unique<controller::TopicController>(
        controller::TopicController::Options{},
        controller::TopicController::Dependencies{
            .store = *store_, .executor = admin_, .clock = clock_, .random = random_});
    auto reserve = storage::DiskReserve::Open({.directory = "data"}, {disk_, *metrics_});
    ASSERT_TRUE(reserve.ok()) << reserve.status();
    reserve_ = *std::move(reserve);
    auto logs = storage::LogStore::Open({.directory = "data"}, {.file_system = disk_,
                                                                .catalogue = *kv_,
                                                                .reserve = *reserve_,
                                                                .clock = clock_,
                                                                .metrics = *metrics_,
                                                                .random = random_,
                                                                .flush_executor = flush_,
                                                                .write_back_executor = write_back_,
                                                                .compaction_executor = compaction_,
                                                                .checkpoint_executor = io_,
                                                                .io_executors = {&io_}});
    ASSERT_TRUE(logs.ok()) << logs.status();
    logs_ = *std::move(logs);
    auto broker = Broker::Start({}, {.log_store = *logs_,
                                     .metadata_store = *store_,
                                     .images = *images_,
                                     .topic_controller = *controller_,
                                     .views = views_,
                                     .views_executor = io_,
                                     .shards = {&shard0_, &shard1_},
                                     .admin_executor = admin_,
                                     .clock = clock_,
                                     .metrics = *metrics_});
    ASSERT_TRUE(broker.ok()) << broker.status();
    broker_ = *std::move(broker);
  }

  void TearDown() override {
    images_->Stop();
    EXPECT_TRUE(logs_->Close().ok());
    for (base::ThreadExecutor* executor : {&shard0_, &shard1_, &admin_, &store_executor_, &io_,
                                           &flush_, &write_back_, &compaction_}) {
      executor->Stop();
    }
  }

  void Register() {
    metadata::Transaction transaction;
    transaction.operations = {
        {.key = std::string(metadata::kClusterKey),
         .value = metadata::Encode(metadata::ClusterRecord{.cluster_id = "test", .created = {}})},
        {.key = metadata::BrokerKey(BrokerId(0)),
         .value = metadata::Encode(metadata::BrokerRecord{
             .grpc_address = "127.0.0.1:9191", .boot_counter = 1, .directory_id = "directory"})}};
    Latch done(1);
    store_->Commit(std::move(transaction), admin_,
                   [&done](const absl::StatusOr<metadata::CommitResult>& result) {
                     EXPECT_TRUE(result.ok()) << result.status();
                     done.Down();
                   });
    done.Wait();
  }

  TopicId CreateTopic(const std::string& name, int32_t partitions) {
    Latch done(1);
    TopicId id;
    broker_->topics().Create(
        {.name = name, .partitions = partitions, .replicas = {}, .configs = {}},
        absl::InfiniteDuration(),
        [&](const absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>& topic) {
          EXPECT_TRUE(topic.ok()) << topic.status();
          if (topic.ok()) id = (*topic)->id;
          done.Down();
        });
    done.Wait();
    return id;
  }

  void Stop() {
    Latch stopped(1);
    broker_->Stop([&stopped] { stopped.Down(); });
    stopped.Wait();
  }

  base::SystemClock clock_;
  base::SystemRandom random_;
  support::MemoryFileSystem disk_;
  base::ThreadExecutor flush_;
  base::ThreadExecutor write_back_;
  base::ThreadExecutor compaction_;
  base::ThreadExecutor io_;
  base::ThreadExecutor shard0_;
  base::ThreadExecutor shard1_;
  base::ThreadExecutor admin_;
  base::ThreadExecutor store_executor_;
  std::unique_ptr<kv::MemoryStore> kv_;
  std::unique_ptr<kv::MemoryStore> views_store_ = kv::MakeMemoryStore();
  group::OffsetViews views_{*views_store_};
  std::unique_ptr<base::MetricRegistry> metrics_;
  std::unique_ptr<metadata::MetadataStore> store_;
  std::unique_ptr<metadata::ImagePublisher> images_;
  std::unique_ptr<controller::TopicController> controller_;
  std::unique_ptr<storage::DiskReserve> reserve_;
  std::unique_ptr<storage::LogStore> logs_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(ThreadsTest, ProducersOfAllPartitionsSeeTheirOwnOrder) {
  constexpr int kThreads = 4;
  constexpr int kBatches = 200;
  const TopicId topic = CreateTopic("orders", kThreads);
  Latch answered(kThreads * kBatches);
  std::vector<std::thread> producers;
  for (int t = 0; t < kThreads; ++t) {
    producers.emplace_back([&, t] {
      for (int i = 0; i < kBatches; ++i) {
        AppendRequest request;
        request.target = {.topic_id = topic, .partition = PartitionId(t)};
        request.batch = MakeBatch({.values = {std::to_string(i)}});
        broker_->messages().Append(std::move(request), [&, i](const AppendOutcome& outcome) {
          EXPECT_TRUE(outcome.status.ok()) << outcome.status;
          EXPECT_EQ(outcome.base_offset, Offset(i));
          answered.Down();
        });
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  answered.Wait();
  Stop();
}

TEST_F(ThreadsTest, AStopAmidstAppendsFetchesAndADeletionAnswersEveryCallOnce) {
  constexpr int kThreads = 3;
  constexpr int kCalls = 300;
  const TopicId kept = CreateTopic("kept", 2);
  const TopicId deleted = CreateTopic("deleted", 2);
  std::atomic<int> answers{0};
  std::atomic<int> calls{0};
  Latch half_way(kThreads);
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        const TopicPartition partition{.topic_id = i % 3 == 0 ? deleted : kept,
                                       .partition = PartitionId(i % 2)};
        calls += 2;
        AppendRequest append;
        append.target = partition;
        append.batch = MakeBatch({.values = {"a"}});
        broker_->messages().Append(std::move(append), [&](const AppendOutcome&) { ++answers; });
        FetchRequest fetch;
        fetch.source = partition;
        fetch.offset = Offset(i);
        fetch.bytes_max = 1000;
        fetch.wait_until = clock_.Monotonic() + absl::Seconds(60);
        broker_->messages().Fetch(fetch, [&](const FetchOutcome&) { ++answers; });
        if (i == kCalls / 2) half_way.Down();
      }
    });
  }
  half_way.Wait();
  ++calls;
  broker_->topics().Delete("deleted", absl::InfiniteDuration(),
                           [&](const absl::Status&) { ++answers; });
  Stop();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(answers.load(), calls.load());
}

}  // namespace
}  // namespace talosmq::broker
