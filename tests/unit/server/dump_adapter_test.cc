#include "server/dump_adapter.h"

#include "base/mutex.h"
#include "base/status.h"
#include "metadata/memory/memory_store.h"
#include "record/batch.h"
#include "support/memory_file_system.h"

#include "gtest/gtest.h"

#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::server {
namespace {

const TopicId kTopicId = *TopicId::Parse("1f3a9c04-5b6d-4e8f-9a0b-1c2d3e4f5061");

/// One partition with one batch of one record; what is beyond it waits. Thread-safe.
class OneRecordMessages final : public broker::MessageService {
 public:
  OneRecordMessages() {
    record::BatchBuilder builder(record::Codec::kNone, 256);
    builder.Append({.timestamp_ms = 0, .key = std::nullopt, .value = "v", .headers = {}});
    batch_ = *builder.Finish({});
  }

  void Append(broker::AppendRequest, base::Callback<broker::AppendOutcome> done) override {
    done({});
  }
  broker::FetchTicket Fetch(broker::FetchRequest request,
                            base::Callback<broker::FetchOutcome> done) override {
    broker::FetchOutcome outcome;
    outcome.next_offset = Offset(1);
    outcome.high_watermark = Offset(1);
    if (request.offset == Offset(0)) {
      outcome.chunks.push_back(batch_);
      done(std::move(outcome));
      return broker::FetchTicket{0};
    }
    const base::MutexLock lock(mutex_);
    waiting_.emplace(++last_ticket_, std::move(done));
    return broker::FetchTicket{last_ticket_};
  }
  std::vector<broker::FetchTicket> FetchAll(
      std::vector<broker::FetchRequest> /*requests*/,
      std::function<void(size_t, broker::FetchOutcome)> /*done*/) override {
    return {};
  }
  void CancelFetches(const std::vector<broker::NamedFetch>& fetches) override {
    for (const broker::NamedFetch& fetch : fetches) {
      base::Callback<broker::FetchOutcome> done;
      {
        const base::MutexLock lock(mutex_);
        const auto found = waiting_.find(static_cast<uint64_t>(fetch.ticket));
        if (found == waiting_.end()) continue;
        done = std::move(found->second);
        waiting_.erase(found);
      }
      broker::FetchOutcome outcome;
      outcome.status = MakeError(Reason::kCancelled, "given up");
      done(std::move(outcome));
    }
  }
  void DescribeProducers(
      const TopicPartition&,
      base::Callback<absl::StatusOr<std::vector<broker::ProducerDescription>>>) override {}
  void FindHistory(broker::HistoryQuery, base::Callback<broker::HistoryOutcome>) override {}
  void DeleteRecords(broker::RecordDeletion /*deletion*/,
                     base::Callback<broker::DeletionOutcome> done) override {
    done({.status = MakeError(Reason::kInternal, "a dump deletes nothing"), .log_start = {}});
  }
  void FindOffset(broker::OffsetQuery query, base::Callback<broker::OffsetOutcome> done) override {
    broker::OffsetOutcome outcome;
    outcome.offset = std::holds_alternative<broker::FromEnd>(query.spec) ? Offset(1) : Offset(0);
    done(outcome);
  }
  void InitProducer(base::Callback<absl::StatusOr<broker::ProducerIdentity>> done) override {
    done(broker::ProducerIdentity{});
  }

 private:
  base::Buffer batch_;
  base::Mutex mutex_;
  uint64_t last_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, base::Callback<broker::FetchOutcome>> waiting_ ABSL_GUARDED_BY(mutex_);
};

/// An image with topic "orders"; nothing can be changed. Immutable.
class FixedTopics final : public broker::TopicService {
 public:
  explicit FixedTopics(metadata::TopicState state) {
    auto topic = std::make_shared<metadata::TopicImage>();
    topic->id = kTopicId;
    topic->name = "orders";
    topic->state = state;
    topic->partitions.resize(1);
    auto image = std::make_shared<metadata::ClusterImage>();
    image->topics_by_name["orders"] = topic;
    image->topics_by_id[kTopicId] = topic;
    image_ = image;
  }

  void Create(
      broker::TopicCreation, absl::Duration,
      base::Callback<absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>> done) override {
    done(Unasked());
  }
  void Alter(broker::TopicAlteration, absl::Duration, base::Callback<absl::Status> done) override {
    done(Unasked());
  }
  void AddPartitions(std::string, int32_t, absl::Duration,
                     base::Callback<absl::Status> done) override {
    done(Unasked());
  }
  absl::StatusOr<broker::TopicCreation> CheckCreate(broker::TopicCreation) const override {
    return Unasked();
  }
  absl::Status CheckAlter(const broker::TopicAlteration&) const override { return Unasked(); }
  absl::Status CheckAddPartitions(const std::string&, int32_t) const override { return Unasked(); }
  void Delete(std::string, absl::Duration, base::Callback<absl::Status> done) override {
    done(Unasked());
  }
  void SkipCorrupt(std::string, PartitionId, Offset, absl::Duration,
                   base::Callback<absl::StatusOr<CorruptRange>> done) override {
    done(Unasked());
  }
  void Describe(std::string,
                base::Callback<absl::StatusOr<broker::TopicDescription>> done) override {
    done(Unasked());
  }
  std::shared_ptr<const metadata::ClusterImage> image() const override { return image_; }

 private:
  static absl::Status Unasked() { return MakeError(Reason::kInternal, "not expected here"); }

  std::shared_ptr<const metadata::ClusterImage> image_;
};

/// The answer of an asynchronous call.
template <typename T, typename Call>
T Await(Call call) {
  std::promise<T> promise;
  std::future<T> answer = promise.get_future();
  call([&promise](T value) { promise.set_value(std::move(value)); });
  return answer.get();
}

class DumpAdapterTest : public testing::Test {
 protected:
  explicit DumpAdapterTest(metadata::TopicState state = metadata::TopicState::kActive)
      : topics_(state) {
    adapter_ = std::make_unique<DumpAdapter>(DumpAdapter::Dependencies{.messages = messages_,
                                                                       .topics = topics_,
                                                                       .store = *store_,
                                                                       .file_system = disk_,
                                                                       .clock = clock_,
                                                                       .metrics = *metrics_});
    EXPECT_TRUE(Await<absl::Status>([this](auto done) { adapter_->Start(std::move(done)); }).ok());
  }
  ~DumpAdapterTest() override {
    adapter_.reset();
    store_executor_.Stop();
  }

  absl::Status Create(std::map<std::string, std::string> configs) {
    return Await<absl::Status>([&](auto done) {
      adapter_->Create({.name = "job",
                        .topic = "orders",
                        .target = "file:///dump",
                        .format = broker::DumpFormat::kRaw,
                        .configs = std::move(configs)},
                       absl::InfiniteDuration(), std::move(done));
    });
  }
  absl::StatusOr<broker::DumpDescription> Describe() {
    return Await<absl::StatusOr<broker::DumpDescription>>(
        [this](auto done) { adapter_->Describe("job", std::move(done)); });
  }

  OneRecordMessages messages_;
  FixedTopics topics_;
  base::ThreadExecutor store_executor_{{.name = "store"}};
  std::unique_ptr<metadata::MetadataStore> store_ = metadata::MakeMemoryStore({}, store_executor_);
  support::MemoryFileSystem disk_;
  base::SystemClock clock_;
  std::unique_ptr<base::MetricRegistry> metrics_ = base::MakeNullMetricRegistry();
  std::unique_ptr<DumpAdapter> adapter_;
};

TEST_F(DumpAdapterTest, JobReadsThroughTheBrokerAndTellsHowFarItIs) {
  ASSERT_TRUE(Create({{"roll.records", "1"}}).ok());
  // Nothing tells when a job has read; its own description is what a user would look at.
  auto description = Describe();
  while (description.ok() && description->records_published == 0) description = Describe();
  ASSERT_TRUE(description.ok()) << description.status();
  EXPECT_EQ(description->state, broker::DumpState::kRunning);
  EXPECT_EQ(description->definition.format, broker::DumpFormat::kRaw);
  EXPECT_EQ(description->definition.configs.at("roll.records"), "1");
  EXPECT_EQ(description->topic_id, kTopicId);
  ASSERT_EQ(description->partitions.size(), 1u);
  EXPECT_EQ(description->partitions[0].lag_records, 0);
  EXPECT_EQ(*io::ReadFile(disk_,
                          "/dump/orders/dt=1970-01-01/hour=00/"
                          "1f3a9c04-0-00000000000000000000-0.raw",
                          10),
            "v\n");
}

TEST_F(DumpAdapterTest, PausedListedResumedAndDeleted) {
  ASSERT_TRUE(Create({}).ok());
  absl::Duration deadline = absl::InfiniteDuration();
  const auto ask = [this, &deadline](auto method) {
    return Await<absl::Status>(
        [&](auto done) { (adapter_.get()->*method)("job", deadline, std::move(done)); });
  };
  deadline = clock_.Monotonic();
  EXPECT_EQ(ReasonOf(ask(&DumpAdapter::Pause)), Reason::kDeadlineExceeded);
  EXPECT_EQ(Describe()->state, broker::DumpState::kRunning);
  deadline = absl::InfiniteDuration();
  EXPECT_TRUE(ask(&DumpAdapter::Pause).ok());
  EXPECT_EQ(Describe()->state, broker::DumpState::kPaused);
  EXPECT_TRUE(ask(&DumpAdapter::Resume).ok());
  const auto list = Await<absl::StatusOr<std::vector<broker::DumpDescription>>>(
      [this](auto done) { adapter_->List(std::move(done)); });
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->size(), 1u);
  EXPECT_TRUE(ask(&DumpAdapter::Delete).ok());
  EXPECT_EQ(ReasonOf(Describe().status()), Reason::kUnknownDumpJob);
}

TEST_F(DumpAdapterTest, StopGivesUpReadsThatWait) {
  ASSERT_TRUE(Create({{"roll.records", "1"}}).ok());
  while (Describe()->records_published == 0) {
  }
  adapter_->Stop();
  EXPECT_EQ(ReasonOf(Describe().status()), Reason::kShuttingDown);
}

class DeletingTopicTest : public DumpAdapterTest {
 protected:
  DeletingTopicTest() : DumpAdapterTest(metadata::TopicState::kDeleting) {}
};

TEST_F(DeletingTopicTest, TopicBeingDeletedIsUnknown) {
  EXPECT_EQ(ReasonOf(Create({})), Reason::kUnknownTopic);
}

}  // namespace
}  // namespace talosmq::server
