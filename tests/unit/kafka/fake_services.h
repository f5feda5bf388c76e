#pragma once

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/text.h"
#include "broker/topic_configs.h"
#include "kafka/services.h"
#include "record/batch.h"
#include "talosmq/error.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::kafka {

/// One record of that time and value, as a client sends it.
inline std::string BatchOf(std::string_view value, int64_t timestamp_ms = 0) {
  record::BatchBuilder builder(record::Codec::kNone, 0);
  builder.Append({.timestamp_ms = timestamp_ms, .value = value});
  return std::string(builder.Finish({}).value().text());
}

/// A MessageService whose log has one batch of one record at each offset. Thread-safe.
class FakeMessages final : public broker::MessageService {
 public:
  static constexpr LeaderEpoch kEpoch{3};

  void Append(broker::AppendRequest request, base::Callback<broker::AppendOutcome> done) override {
    std::vector<base::Task> due;
    {
      const base::MutexLock lock(mutex_);
      ++appends_;
      broker::AppendOutcome outcome;
      outcome.status = append_status_;
      if (append_status_.ok()) outcome.base_offset = StoreLocked(request.target, request.batch);
      base::Task answer = [done = std::move(done), outcome]() mutable { done(std::move(outcome)); };
      is_holding_ ? held_.push_back(std::move(answer)) : due.push_back(std::move(answer));
      TakeWokenLocked(request.target, due);
      changed_.SignalAll();
    }
    for (base::Task& task : due) task();
  }

  broker::FetchTicket Fetch(broker::FetchRequest request,
                            base::Callback<broker::FetchOutcome> done) override {
    broker::FetchOutcome outcome;
    {
      const base::MutexLock lock(mutex_);
      ++fetches_;
      outcome = ReadLocked(request);
      const bool waits = is_opening_ || (outcome.status.ok() && outcome.chunks.empty() &&
                                         request.wait_until > absl::ZeroDuration());
      if (waits) {
        const auto ticket = static_cast<broker::FetchTicket>(++tickets_);
        waiting_.emplace(ticket, Waiting{request, std::move(done)});
        changed_.SignalAll();
        return ticket;
      }
    }
    done(std::move(outcome));
    return {};
  }

  std::vector<broker::FetchTicket> FetchAll(
      std::vector<broker::FetchRequest> requests,
      std::function<void(size_t, broker::FetchOutcome)> done) override {
    std::vector<broker::FetchTicket> tickets;
    for (size_t index = 0; index < requests.size(); ++index) {
      tickets.push_back(Fetch(requests[index], [done, index](broker::FetchOutcome outcome) {
        done(index, std::move(outcome));
      }));
    }
    return tickets;
  }

  void CancelFetches(const std::vector<broker::NamedFetch>& fetches) override {
    for (const auto& [source, ticket] : fetches) CancelFetch(source, ticket);
  }

  void CancelFetch(const TopicPartition& /*source*/, broker::FetchTicket ticket) {
    base::Callback<broker::FetchOutcome> done;
    {
      const base::MutexLock lock(mutex_);
      const auto found = waiting_.find(ticket);
      if (found == waiting_.end()) return;
      done = std::move(found->second.done);
      waiting_.erase(found);
      changed_.SignalAll();
    }
    broker::FetchOutcome outcome;
    outcome.status = MakeError(Reason::kCancelled, "given up");
    done(std::move(outcome));
  }

  /// Any time is that of the first record.
  void FindOffset(broker::OffsetQuery query, base::Callback<broker::OffsetOutcome> done) override {
    broker::OffsetOutcome outcome;
    {
      const base::MutexLock lock(mutex_);
      outcome.high_watermark = Offset(static_cast<int64_t>(logs_[query.source].size()));
    }
    if (std::holds_alternative<broker::FromEnd>(query.spec)) {
      outcome.offset = outcome.high_watermark;
    }
    outcome.epoch = kEpoch;
    done(std::move(outcome));
  }
  /// Epoch 3 has written everything; there was none before.
  void FindHistory(broker::HistoryQuery query,
                   base::Callback<broker::HistoryOutcome> done) override {
    broker::HistoryOutcome outcome;
    {
      const base::MutexLock lock(mutex_);
      outcome.high_watermark = Offset(static_cast<int64_t>(logs_[query.source].size()));
      outcome.log_start = log_start_;
    }
    const bool is_known = query.known_epoch == kNoEpoch || query.known_epoch == kEpoch;
    if (!is_known) outcome.status = MakeError(Reason::kFencedEpoch, "another epoch");
    if (query.epoch == kEpoch) outcome.last_epoch = {kEpoch, outcome.high_watermark};
    if (query.epoch < kEpoch) outcome.last_epoch = {query.epoch, Offset(0)};
    done(std::move(outcome));
  }
  /// As many as a test wants, whatever the partition.
  void DescribeProducers(
      const TopicPartition&,
      base::Callback<absl::StatusOr<std::vector<broker::ProducerDescription>>> done) override {
    done(std::vector(
        producers,
        broker::ProducerDescription{
            .id = ProducerId(4000), .epoch = 2, .last_sequence = 9, .last_timestamp_ms = 1234}));
  }
  void DeleteRecords(broker::RecordDeletion deletion,
                     base::Callback<broker::DeletionOutcome> done) override {
    done({.status = absl::OkStatus(), .log_start = deletion.before.value_or(Offset(7))});
  }
  void InitProducer(base::Callback<absl::StatusOr<broker::ProducerIdentity>> done) override {
    done(broker::ProducerIdentity{.id = ProducerId(4000), .epoch = 2});
  }

  // What tests do and see.

  size_t producers = 1;  ///< Of each partition. Set before the calls.

  /// Every log begins there from now on.
  void MoveLogStarts(Offset log_start) {
    const base::MutexLock lock(mutex_);
    log_start_ = log_start;
  }
  /// All logs are being opened from now on: whoever reads them waits.
  void BeginOpening() {
    const base::MutexLock lock(mutex_);
    is_opening_ = true;
  }
  /// Whoever waits is answered, one after another.
  void EndOpening() {
    std::vector<base::Task> due;
    {
      const base::MutexLock lock(mutex_);
      is_opening_ = false;
      for (auto& [ticket, waiting] : std::exchange(waiting_, {})) {
        due.push_back([done = std::move(waiting.done),
                       outcome = ReadLocked(waiting.request)]() mutable { done(outcome); });
      }
    }
    for (base::Task& task : due) task();
  }
  /// Acknowledgements wait from now on.
  void Hold() {
    const base::MutexLock lock(mutex_);
    is_holding_ = true;
  }
  /// The append that is held at that place; the places of the others stay.
  void Acknowledge(size_t index) {
    base::Task answer;
    {
      const base::MutexLock lock(mutex_);
      answer = std::exchange(held_[index], nullptr);
    }
    answer();
  }
  void FailAppendsWith(absl::Status status) {
    const base::MutexLock lock(mutex_);
    append_status_ = std::move(status);
  }
  void Store(const TopicPartition& log, std::string_view batch) {
    Append({.target = log, .batch = base::Buffer::CopyOf(base::AsBytes(batch))},
           [](const auto&) {});
  }
  void WaitForAppends(size_t count) {
    const base::MutexLock lock(mutex_);
    while (appends_ < count) changed_.Wait(mutex_);
  }
  /// False when there are still not so many after a minute.
  bool WaitForWaitingFetches(size_t count) {
    const base::MutexLock lock(mutex_);
    while (waiting_.size() != count) {
      const bool is_over = changed_.WaitFor(mutex_, absl::Minutes(1));
      if (is_over && waiting_.size() != count) return false;
    }
    return true;
  }
  size_t appends() {
    const base::MutexLock lock(mutex_);
    return appends_;
  }
  size_t fetches() {
    const base::MutexLock lock(mutex_);
    return fetches_;
  }
  size_t waiting_fetches() {
    const base::MutexLock lock(mutex_);
    return waiting_.size();
  }

 private:
  struct Waiting {
    broker::FetchRequest request;
    base::Callback<broker::FetchOutcome> done;
  };

  Offset StoreLocked(const TopicPartition& log, const base::Buffer& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<base::Buffer>& batches = logs_[log];
    const auto offset = Offset(static_cast<int64_t>(batches.size()));
    batches.push_back(base::Buffer::CopyOf(batch.bytes()));
    record::PatchBaseOffset(batches.back().mutable_bytes(), offset);
    return offset;
  }

  broker::FetchOutcome ReadLocked(const broker::FetchRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::vector<base::Buffer>& batches = logs_[request.source];
    const auto end = static_cast<int64_t>(batches.size());
    broker::FetchOutcome outcome;
    outcome.high_watermark = Offset(end);
    outcome.log_start = log_start_;
    outcome.next_offset = request.offset;
    if (request.offset < log_start_ || request.offset > Offset(end)) {
      outcome.status = MakeError(Reason::kOffsetOutOfRange, "no such offset");
      return outcome;
    }
    int64_t bytes = 0;
    for (int64_t i = request.offset.value(); i < end; ++i) {
      bytes += static_cast<int64_t>(batches[static_cast<size_t>(i)].size());
      if (!outcome.chunks.empty() && bytes > request.bytes_max) break;
      outcome.chunks.push_back(batches[static_cast<size_t>(i)]);
      outcome.next_offset = Offset(i + 1);
    }
    return outcome;
  }

  void TakeWokenLocked(const TopicPartition& log, std::vector<base::Task>& woken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
      const auto next = std::next(waiting);
      broker::FetchOutcome outcome = ReadLocked(waiting->second.request);
      if (waiting->second.request.source == log && !outcome.chunks.empty()) {
        woken.push_back([done = std::move(waiting->second.done),
                         found = std::move(outcome)]() mutable { done(std::move(found)); });
        waiting_.erase(waiting);
      }
      waiting = next;
    }
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  bool is_holding_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_opening_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status append_status_ ABSL_GUARDED_BY(mutex_);
  std::deque<base::Task> held_ ABSL_GUARDED_BY(mutex_);
  std::map<TopicPartition, std::vector<base::Buffer>> logs_ ABSL_GUARDED_BY(mutex_);
  Offset log_start_ ABSL_GUARDED_BY(mutex_) = Offset(0);
  std::map<broker::FetchTicket, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t tickets_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t appends_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t fetches_ ABSL_GUARDED_BY(mutex_) = 0;
};

/// One topic, "orders", of two partitions, and those that are created; a change of another one
/// fails. Thread-safe while nothing is created or altered: only the users change.
class FakeTopics final : public broker::TopicService {
 public:
  static constexpr TopicId kOrders{{1, 2, 3}};

  FakeTopics() {
    auto topic = std::make_shared<metadata::TopicImage>();
    topic->id = kOrders;
    topic->name = "orders";
    topic->configs = {{"label.team", "mine"}, {"retention.ms", "1000"}};
    topic->partitions.resize(2);
    for (auto& partition : topic->partitions) partition.replicas = {BrokerId(0)};
    topic->partitions[0].epoch = LeaderEpoch(3);
    topic->partitions[0].in_sync = {BrokerId(0)};
    auto image = std::make_shared<metadata::ClusterImage>();
    image->topics_by_name.emplace(topic->name, topic);
    image->topics_by_id.emplace(topic->id, topic);
    topic_ = topic;
    image_ = image;
  }

  void Create(
      broker::TopicCreation creation, absl::Duration,
      base::Callback<absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>> done) override {
    if (creation.name == topic_->name) return done(MakeError(Reason::kTopicExists, "it is there"));
    if (!creation_status.ok()) return done(creation_status);
    created.push_back(creation.name);
    auto topic = std::make_shared<metadata::TopicImage>(*topic_);
    topic->name = creation.name;
    Publish(
        [&](metadata::ClusterImage& image) { image.topics_by_name.emplace(topic->name, topic); });
    done(std::move(topic));
  }
  void Alter(broker::TopicAlteration alteration, absl::Duration,
             base::Callback<absl::Status> done) override {
    done(Check(alteration.name));
    altered = std::move(alteration);
  }
  void AddPartitions(std::string name, int32_t, absl::Duration,
                     base::Callback<absl::Status> done) override {
    done(Check(name));
  }
  absl::StatusOr<broker::TopicCreation> CheckCreate(broker::TopicCreation creation) const override {
    if (creation.name == topic_->name) return MakeError(Reason::kTopicExists, "it is there");
    creation.partitions = creation.partitions.value_or(8);
    creation.replicas = creation.replicas.value_or(1);
    return creation;
  }
  absl::Status CheckAlter(const broker::TopicAlteration& alteration) const override {
    return Check(alteration.name);
  }
  absl::Status CheckAddPartitions(const std::string& name, int32_t total) const override {
    if (total <= 2) return MakeError(Reason::kInvalidPartitions, "there are 2");
    return Check(name);
  }
  void Delete(std::string name, absl::Duration, base::Callback<absl::Status> done) override {
    done(Check(name));
  }
  void SkipCorrupt(std::string, PartitionId, Offset, absl::Duration,
                   base::Callback<absl::StatusOr<CorruptRange>> done) override {
    done(CorruptRange());
  }
  void Describe(std::string name,
                base::Callback<absl::StatusOr<broker::TopicDescription>> done) override {
    ++descriptions;
    if (!description_status.ok()) return done(description_status);
    const absl::Status known = Check(name);
    if (!known.ok()) return done(known);
    broker::TopicDescription description{.topic = topic_,
                                         .configs = broker::ConfigsOf(*topic_),
                                         .partitions = {SizeOf(0, 100), SizeOf(1, 200)}};
    description.partitions[0].status = partition_status;
    done(std::move(description));
  }
  std::shared_ptr<const metadata::ClusterImage> image() const override {
    const base::MutexLock lock(mutex_);
    return image_;
  }

  // What tests do.

  /// Makes a user, anew if there is one of that name.
  void AddUser(const std::string& name, std::string_view password) {
    auto user = std::make_shared<metadata::UserImage>();
    user->name = name;
    user->scram_sha_256 = base::MakeScramCredential(base::ScramHash::kSha256, password,
                                                    "salt of 256 bits", base::kScramIterations);
    user->scram_sha_512 = base::MakeScramCredential(base::ScramHash::kSha512, password,
                                                    "salt of 512 bits", base::kScramIterations);
    user->revision = static_cast<metadata::Revision>(++revisions_);
    Publish([&](metadata::ClusterImage& image) { image.users.insert_or_assign(name, user); });
  }
  void RemoveUser(const std::string& name) {
    Publish([&](metadata::ClusterImage& image) { image.users.erase(name); });
  }

  std::optional<broker::TopicAlteration> altered;  ///< Last.
  std::vector<std::string> created;
  absl::Status creation_status;     ///< An error: nothing can be created.
  absl::Status description_status;  ///< An error: nothing can be described.
  absl::Status partition_status;    ///< Of partition 0, as it is described.
  size_t descriptions = 0;          ///< That were asked for.

 private:
  static broker::PartitionDescription SizeOf(int32_t partition, int64_t bytes) {
    broker::PartitionDescription description;
    description.partition = PartitionId(partition);
    description.size_bytes = bytes;
    return description;
  }
  absl::Status Check(std::string_view name) const {
    if (name == topic_->name) return absl::OkStatus();
    return MakeError(Reason::kUnknownTopic, base::StrCat("there is no topic ", name));
  }

  template <typename Change>
  void Publish(const Change& change) {
    const base::MutexLock lock(mutex_);
    auto next = std::make_shared<metadata::ClusterImage>(*image_);
    change(*next);
    image_ = std::move(next);
  }

  std::shared_ptr<const metadata::TopicImage> topic_;
  std::atomic<int64_t> revisions_ = 0;
  mutable base::Mutex mutex_;
  std::shared_ptr<const metadata::ClusterImage> image_ ABSL_GUARDED_BY(mutex_);
};

/// Answers with all fields filled, or everything with `status`, if that is an error. Joins can be
/// held. Thread-safe but for `status`, which is set before the calls.
class FakeGroups final : public broker::GroupService {
 public:
  void Heartbeat(group::HeartbeatRequest, group::HeartbeatDone) override {}
  void Leave(group::LeaveRequest, group::StatusDone) override {}
  void Reset(group::ResetRequest, group::CommitDone) override {}
  void Drain() override {}

  void Commit(group::CommitRequest request, group::CommitDone done) override {
    done(std::vector<absl::Status>(request.offsets.size(), status));
  }
  void FetchOffsets(group::OffsetsRequest, group::OffsetsDone done) override {
    Answer(std::move(done),
           group::Offsets{{{FakeTopics::kOrders, PartitionId(0)},
                           {.offset = Offset(5), .epoch = LeaderEpoch(3), .metadata = "mine"}}});
  }
  /// Members subscribe to partitions from 1 on.
  void Forget(group::ForgetRequest request, group::ForgetDone done) override {
    std::vector<absl::Status> outcomes;
    for (const TopicPartition& partition : request.partitions) {
      outcomes.push_back(partition.partition == PartitionId(0)
                             ? absl::OkStatus()
                             : MakeError(Reason::kGroupNotEmpty, "it is read"));
    }
    Answer(std::move(done), std::move(outcomes));
  }
  void Delete(std::string, group::StatusDone done) override { done(status); }
  void List(group::ListDone done) override {
    Answer(std::move(done),
           std::vector{Summary(group::GroupState::kStable), Summary(group::GroupState::kEmpty)});
  }
  void Describe(std::string, group::DescribeDone done) override {
    group::GroupDescription description{
        .summary = Summary(group::GroupState::kStable),
        .record = {.protocol_type = "consumer", .protocol = "range"}};
    description.members["member"].instance_id = "instance";
    description.members["member"].protocols["range"] = "metadata";
    Answer(std::move(done), std::move(description));
  }
  void Join(group::ClassicJoinRequest, group::ClassicJoinDone done) override {
    group::ClassicJoinOutcome outcome{.status = status, .reply = {.member_id = "member"}};
    if (status.ok()) {
      outcome.reply = {.generation = 4,
                       .protocol_type = "consumer",
                       .protocol = "range",
                       .leader = "member",
                       .member_id = "member",
                       .skips_assignment = true,
                       .members = {{"member", "instance", "metadata"}, {"other", "", ""}}};
    }
    {
      const base::MutexLock lock(mutex_);
      if (is_holding_) {
        held_.push_back([done = std::move(done), outcome]() mutable { done(std::move(outcome)); });
        changed_.SignalAll();
        return;
      }
    }
    done(std::move(outcome));
  }
  void Sync(group::ClassicSyncRequest, group::ClassicSyncDone done) override {
    Answer(std::move(done), group::ClassicSyncReply{"consumer", "range", assignment});
    ++syncs;
  }
  void ClassicHeartbeat(group::ClassicHeartbeatRequest, group::StatusDone done) override {
    done(status);
  }
  void ClassicLeave(group::ClassicLeaveRequest request, group::ClassicLeaveDone done) override {
    done(std::vector<absl::Status>(request.members.size(), status));
  }

  // What tests do and see.

  absl::Status status;
  std::string assignment = "assignment";  ///< Of each member. Set before the calls.
  std::atomic<size_t> syncs = 0;          ///< That are answered.

  void HoldJoins() {
    const base::MutexLock lock(mutex_);
    is_holding_ = true;
  }
  void WaitForJoins(size_t count) {
    const base::MutexLock lock(mutex_);
    while (held_.size() < count) changed_.Wait(mutex_);
  }
  void LetJoinsGo() {
    std::vector<base::Task> held;
    {
      const base::MutexLock lock(mutex_);
      held.swap(held_);
    }
    for (base::Task& task : held) task();
  }

 private:
  template <typename T>
  void Answer(base::Callback<absl::StatusOr<T>> done, T answer) {
    if (!status.ok()) return done(status);
    done(std::move(answer));
  }
  static group::GroupSummary Summary(group::GroupState state) {
    return {.group = "readers",
            .kind = group::GroupKind::kClassic,
            .state = state,
            .members = 1,
            .protocol_type = "connect"};
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  bool is_holding_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<base::Task> held_ ABSL_GUARDED_BY(mutex_);
};

class FakeCluster final : public broker::ClusterService {
 public:
  broker::ServerInfo GetServerInfo() const override {
    broker::ServerInfo info;
    info.cluster_id = "test-cluster";
    info.broker = BrokerId(0);
    info.data_directory = "/data";
    info.disk_capacity_bytes = 1'000'000;
    info.disk_free_bytes = 400'000;
    return info;
  }
  void CheckHealth(base::Callback<broker::HealthReport> done) override { done({}); }
  void DeleteOrphan(const TopicPartition&, base::Callback<absl::Status> done) override {
    done(absl::OkStatus());
  }
};

/// Keeps the counters and gauges under "name{label=value,...}". Thread-safe.
class CountingRegistry final : public base::MetricRegistry {
 public:
  base::Counter& AddCounter(const std::string& name, const std::string&,
                            const base::MetricLabels& labels) override {
    return Of(name, labels);
  }
  base::Gauge& AddGauge(const std::string& name, const std::string&,
                        const base::MetricLabels& labels) override {
    return Of(name, labels);
  }
  void RemoveGauge(const std::string&, const base::MetricLabels&) override {}
  base::Histogram& AddHistogram(const std::string& name, const std::string&,
                                const base::MetricLabels& labels,
                                const std::vector<double>&) override {
    return Of(name, labels);
  }

  int64_t ValueOf(const std::string& name) {
    const base::MutexLock lock(mutex_);
    const auto found = numbers_.find(name);
    return found == numbers_.end() ? -1 : found->second->value.load();
  }
  size_t CountOf(std::string_view prefix) {
    const base::MutexLock lock(mutex_);
    size_t count = 0;
    for (const auto& [name, number] : numbers_) count += name.starts_with(prefix) ? size_t{1} : 0;
    return count;
  }

 private:
  struct Number final : base::Counter, base::Gauge, base::Histogram {
    void Add(int64_t count) override { value += count; }
    void Set(double now) override { value = static_cast<int64_t>(now); }
    void Observe(double) override { ++value; }
    std::atomic<int64_t> value = 0;
  };

  Number& Of(std::string name, const base::MetricLabels& labels) {
    std::string_view before = "{";
    for (const auto& [label, text] : labels) {
      name += base::StrCat(before, label, "=", text);
      before = ",";
    }
    if (!labels.empty()) name += "}";
    const base::MutexLock lock(mutex_);
    std::unique_ptr<Number>& number = numbers_[name];
    if (number == nullptr) number = std::make_unique<Number>();
    return *number;
  }

  base::Mutex mutex_;
  std::map<std::string, std::unique_ptr<Number>> numbers_ ABSL_GUARDED_BY(mutex_);
};

/// All that a front works with.
struct FakeBroker {
  FakeMessages messages;
  FakeTopics topics;
  FakeGroups groups;
  FakeCluster cluster;
  base::SystemClock clock;
  CountingRegistry metrics;
  base::SystemRandom random;
  FetchSessions fetch_sessions{{}, {.clock = clock, .random = random, .metrics = metrics}};
  BrokerSettings settings{.keys = {{.name = "num.partitions",
                                    .value = "8",
                                    .type = ConfigType::kInt,
                                    .documentation = "How many."},
                                   {.name = "log.dirs", .value = "/data", .is_default = false}}};

  Services services() {
    return {messages, topics, groups, cluster, clock, metrics, fetch_sessions, settings};
  }
};

inline constexpr TopicPartition kOrders0{FakeTopics::kOrders, PartitionId(0)};

}  // namespace talosmq::kafka
