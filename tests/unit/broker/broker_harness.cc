#include "unit/broker/broker_harness.h"

#include "base/check.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/status.h"
#include "metadata/codec.h"
#include "metadata/embedded/embedded_store.h"
#include "metadata/keys.h"
#include "metadata/records.h"

#include "gtest/gtest.h"

#include <utility>

namespace talosmq::broker {
namespace {

/// Everyone the same numbers.
class CountingRandom final : public base::Random {
 public:
  explicit CountingRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() override {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ ^ (state_ >> 29);
  }

 private:
  uint64_t state_;
};

/// A store on the same machine as a disk: when one dies, so does the other. Each write can die
/// before it happens, and behind that, before it is answered.
class StoreBesideDisk final : public kv::Store {
 public:
  StoreBesideDisk(kv::Store& store, support::MemoryFileSystem& disk) : store_(store), disk_(disk) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return store_.Get(key);
  }
  absl::StatusOr<std::vector<kv::Entry>> Scan(std::string_view prefix, std::string_view from,
                                              size_t limit) override {
    return store_.Scan(prefix, from, limit);
  }
  absl::Status Write(const kv::WriteBatch& batch, kv::Durability durability) override {
    TALOSMQ_RETURN_IF_ERROR(disk_.CountChange());
    TALOSMQ_RETURN_IF_ERROR(store_.Write(batch, durability));
    return disk_.CountChange();
  }

 private:
  kv::Store& store_;
  support::MemoryFileSystem& disk_;
};

constexpr int kFetchBytes = 1 << 20;

}  // namespace

base::Buffer MakeBatch(const BatchOf& batch) {
  record::BatchBuilder builder(record::Codec::kNone, 1024);
  for (const std::string& value : batch.values) {
    builder.Append(
        {.timestamp_ms = batch.timestamp_ms, .key = batch.key, .value = value, .headers = {}});
  }
  auto bytes = builder.Finish(batch.producer);
  TALOSMQ_CHECK(bytes.ok()) << bytes.status().ToString();
  return *std::move(bytes);
}

std::vector<support::ReadRecord> RecordsIn(const std::vector<base::Buffer>& chunks, Offset from) {
  std::vector<support::ReadRecord> records;
  for (const base::Buffer& chunk : chunks) {
    base::ByteSpan rest = chunk.bytes();
    while (!rest.empty()) {
      const auto header = record::ParseHeader(rest);
      TALOSMQ_CHECK(header.ok()) << header.status().ToString();
      auto reader = record::BatchReader::Open(rest.first(header->size()), {});
      TALOSMQ_CHECK(reader.ok()) << reader.status().ToString();
      for (auto record = reader->Next(); record.ok() && record->has_value();
           record = reader->Next()) {
        if ((*record)->offset < from) continue;
        records.push_back(
            {.offset = (*record)->offset, .value = std::string((*record)->value.value_or(""))});
      }
      rest = rest.subspan(header->size());
    }
  }
  return records;
}

/// One run of the program. After Kill() it is kept for ever, as nothing of it may run any more.
struct BrokerHarness::Process {
  Process(const support::ManualClock& clock, kv::Store& kv_store, support::MemoryFileSystem& disk)
      : flush(clock),
        write_back(clock),
        compaction(clock),
        io(clock),
        shards{std::make_unique<support::ManualExecutor>(clock)},
        admin(clock),
        store_executor(clock),
        random(1),
        kv(kv_store, disk) {}

  void Run() {
    support::RunAllUntilIdle(
        {&flush, &write_back, &compaction, &io, shards.get(), &admin, &store_executor});
  }

  support::ManualExecutor flush;
  support::ManualExecutor write_back;
  support::ManualExecutor compaction;
  support::ManualExecutor io;
  std::unique_ptr<support::ManualExecutor> shards;
  support::ManualExecutor admin;
  support::ManualExecutor store_executor;
  CountingRandom random;
  StoreBesideDisk kv;
  std::unique_ptr<base::MetricRegistry> metrics = base::MakeNullMetricRegistry();
  std::unique_ptr<metadata::MetadataStore> store;
  std::unique_ptr<metadata::ImagePublisher> images;
  std::unique_ptr<controller::TopicController> controller;
  std::unique_ptr<storage::DiskReserve> reserve;
  std::unique_ptr<storage::LogStore> logs;
  std::unique_ptr<Broker> broker;
};

BrokerHarness::BrokerHarness() : kv_(kv::MakeMemoryStore()) {
  options_.id = kSelf;
  options_.version = "test";
}

BrokerHarness::~BrokerHarness() {
  if (is_running()) Kill();
}

void BrokerHarness::Start() {
  TALOSMQ_CHECK(!is_running()) << "already running";
  process_ = std::make_unique<Process>(clock_, *kv_, disk_);
  Process& p = *process_;
  p.random = CountingRandom(static_cast<uint64_t>(absl::ToUnixNanos(clock_.Now())));
  auto store = metadata::OpenEmbeddedStore({}, p.kv, p.store_executor);
  TALOSMQ_CHECK(store.ok()) << store.status().ToString();
  p.store = *std::move(store);
  Register();
  p.controller = std::make_unique<controller::TopicController>(
      controller::TopicController::Options{},
      controller::TopicController::Dependencies{
          .store = *p.store, .executor = p.admin, .clock = clock_, .random = p.random});
  p.controller->Recover([](const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; });
  p.Run();
  p.images = metadata::ImagePublisher::Start(
      *p.store, p.admin, [](const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; });
  p.Run();
  auto reserve = storage::DiskReserve::Open(reserve_options_, {disk_, *p.metrics});
  TALOSMQ_CHECK(reserve.ok()) << reserve.status().ToString();
  p.reserve = *std::move(reserve);
  auto logs = storage::LogStore::Open({.directory = "data"}, {.file_system = disk_,
                                                              .catalogue = p.kv,
                                                              .reserve = *p.reserve,
                                                              .clock = clock_,
                                                              .metrics = *p.metrics,
                                                              .random = p.random,
                                                              .flush_executor = p.flush,
                                                              .write_back_executor = p.write_back,
                                                              .compaction_executor = p.compaction,
                                                              .checkpoint_executor = p.io,
                                                              .io_executors = {&p.io}});
  TALOSMQ_CHECK(logs.ok()) << logs.status().ToString();
  p.logs = *std::move(logs);
  auto broker = Broker::Start(options_, {.log_store = *p.logs,
                                         .metadata_store = *p.store,
                                         .images = *p.images,
                                         .topic_controller = *p.controller,
                                         .views = views_,
                                         .views_executor = p.io,
                                         .shards = {p.shards.get()},
                                         .admin_executor = p.admin,
                                         .clock = clock_,
                                         .metrics = *p.metrics});
  TALOSMQ_CHECK(broker.ok()) << broker.status().ToString();
  p.broker = *std::move(broker);
  p.Run();
}

void BrokerHarness::Register() {
  Process& p = *process_;
  metadata::Transaction transaction;
  transaction.operations = {
      {.key = std::string(metadata::kClusterKey),
       .value = metadata::Encode(
           metadata::ClusterRecord{.cluster_id = "test", .created = clock_.Now()})},
      {.key = metadata::BrokerKey(kSelf),
       .value = metadata::Encode(metadata::BrokerRecord{
           .grpc_address = "127.0.0.1:9191", .boot_counter = 1, .directory_id = "directory"})}};
  p.store->Commit(std::move(transaction), p.admin,
                  [](const absl::StatusOr<metadata::CommitResult>& result) {
                    EXPECT_TRUE(result.ok()) << result.status();
                  });
  p.Run();
}

void BrokerHarness::Stop() {
  Process& p = *process_;
  int stopped = 0;
  p.broker->Stop([&stopped] { ++stopped; });
  p.Run();
  ASSERT_EQ(stopped, 1);
  p.broker.reset();
  p.images->Stop();
  p.Run();
  // Close blocks on the flush executor in a real process; here what waits has run already.
  EXPECT_TRUE(p.logs->Close().ok());
  p.Run();
  process_.reset();
}

void BrokerHarness::Kill() {
  Process& p = *process_;
  for (support::ManualExecutor* executor : {&p.flush, &p.write_back, &p.compaction, &p.io,
                                            p.shards.get(), &p.admin, &p.store_executor}) {
    executor->DropAll();
  }
  static auto& killed = *new std::vector<std::unique_ptr<Process>>();
  killed.push_back(std::move(process_));
}

void BrokerHarness::CutPower(support::PowerCut cut) {
  if (is_running()) Kill();
  disk_.CutPower(cut);
  kv_->CutPower(0);
}

void BrokerHarness::LoseStore() {
  TALOSMQ_CHECK(!is_running()) << "the store is in use";
  static auto& lost = *new std::vector<std::unique_ptr<kv::MemoryStore>>();
  lost.push_back(std::exchange(kv_, kv::MakeMemoryStore()));  // Killed processes refer to it.
}

Broker& BrokerHarness::broker() { return *process_->broker; }
metadata::MetadataStore& BrokerHarness::metadata_store() { return *process_->store; }
support::ManualExecutor& BrokerHarness::shard() { return *process_->shards; }

void BrokerHarness::Run() { process_->Run(); }

void BrokerHarness::RunWithoutFlush() {
  Process& p = *process_;
  support::RunAllUntilIdle({&p.io, p.shards.get(), &p.admin, &p.store_executor});
}

void BrokerHarness::Advance(absl::Duration by) {
  clock_.Advance(by);
  Run();
}

AnswerPtr<AppendOutcome> BrokerHarness::Append(const TopicPartition& target, BatchOf batch,
                                               Acks acks) {
  AppendRequest request;
  request.target = target;
  request.acks = acks;
  request.batch = MakeBatch(batch);
  return Append(std::move(request));
}

AnswerPtr<AppendOutcome> BrokerHarness::Append(AppendRequest request) {
  auto answer = std::make_shared<Answer<AppendOutcome>>();
  broker().messages().Append(std::move(request), WriteDown(answer));
  return answer;
}

AnswerPtr<FetchOutcome> BrokerHarness::Fetch(const TopicPartition& source, int64_t offset,
                                             absl::Duration wait) {
  FetchRequest request;
  request.source = source;
  request.offset = Offset(offset);
  request.bytes_max = kFetchBytes;
  request.wait_until = clock_.Monotonic() + wait;
  return Fetch(request, nullptr);
}

AnswerPtr<FetchOutcome> BrokerHarness::Fetch(FetchRequest request, FetchTicket* ticket) {
  auto answer = std::make_shared<Answer<FetchOutcome>>();
  const FetchTicket given = broker().messages().Fetch(request, WriteDown(answer));
  if (ticket != nullptr) *ticket = given;
  return answer;
}

AnswerPtr<OffsetOutcome> BrokerHarness::FindOffset(const TopicPartition& source, OffsetSpec spec) {
  auto answer = std::make_shared<Answer<OffsetOutcome>>();
  broker().messages().FindOffset(
      {.source = source, .known_epoch = kNoEpoch, .spec = std::move(spec)}, WriteDown(answer));
  return answer;
}

TopicId BrokerHarness::CreateTopic(const std::string& name, int32_t partitions,
                                   std::map<std::string, std::string> configs) {
  TopicId id;
  broker().topics().Create(
      {.name = name,
       .partitions = partitions,
       .replicas = std::nullopt,
       .configs = std::move(configs)},
      absl::InfiniteDuration(),
      [&id](const absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>& topic) {
        ASSERT_TRUE(topic.ok()) << topic.status();
        id = (*topic)->id;
      });
  Run();
  EXPECT_FALSE(id.is_nil());
  return id;
}

AppendOutcome BrokerHarness::AppendNow(const TopicPartition& target, BatchOf batch) {
  const auto answer = Append(target, std::move(batch));
  Run();
  EXPECT_EQ(answer->calls, 1);
  EXPECT_TRUE(answer->value.status.ok()) << answer->value.status;
  return answer->value;
}

FetchOutcome BrokerHarness::FetchNow(const TopicPartition& source, int64_t offset) {
  const auto answer = Fetch(source, offset);
  Run();
  EXPECT_EQ(answer->calls, 1);
  EXPECT_TRUE(answer->value.status.ok()) << answer->value.status;
  return answer->value;
}

HealthReport BrokerHarness::CheckHealthNow() {
  const auto answer = std::make_shared<Answer<HealthReport>>();
  broker().cluster().CheckHealth(WriteDown(answer));
  Run();
  EXPECT_EQ(answer->calls, 1);
  return answer->value;
}

std::vector<support::ReadRecord> BrokerHarness::ReadAll(const TopicPartition& source) {
  std::vector<support::ReadRecord> all;
  int64_t next = 0;
  while (true) {
    const FetchOutcome outcome = FetchNow(source, next);
    if (!outcome.status.ok() || outcome.chunks.empty()) return all;
    for (auto& record : RecordsIn(outcome.chunks, Offset(next))) all.push_back(std::move(record));
    next = outcome.next_offset.value();
  }
}

LeaderEpoch BrokerHarness::EpochInStore(const TopicPartition& partition) {
  LeaderEpoch epoch{0};
  metadata_store().Get(metadata::PartitionStateKey(partition), process_->admin,
                       [&epoch](const absl::StatusOr<std::optional<metadata::KeyValue>>& entry) {
                         ASSERT_TRUE(entry.ok()) << entry.status();
                         if (!entry->has_value()) return;
                         const auto state =
                             metadata::Decode<metadata::PartitionStateRecord>(**entry);
                         ASSERT_TRUE(state.ok()) << state.status();
                         epoch = state->epoch;
                       });
  Run();
  return epoch;
}

}  // namespace talosmq::broker
