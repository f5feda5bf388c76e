#pragma once

#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "broker/cluster.h"
#include "broker/dump_control.h"
#include "broker/groups.h"
#include "broker/messages.h"
#include "broker/topics.h"
#include "broker/users.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::rpc {

/// A MessageService whose log is a list of byte strings: each appended "batch" is one record, and
/// offset n is the n-th of them. Answers can be held back until a test lets them go. Thread-safe.
class FakeMessages final : public broker::MessageService {
 public:
  void DescribeProducers(
      const TopicPartition&,
      base::Callback<absl::StatusOr<std::vector<broker::ProducerDescription>>> done) override {
    done(std::vector<broker::ProducerDescription>());
  }
  void FindHistory(broker::HistoryQuery, base::Callback<broker::HistoryOutcome> done) override {
    done({.status = absl::OkStatus(), .epoch_end = {}, .compacted_end = {}});
  }

  struct Appended {
    broker::AppendRequest request;
    std::string bytes;
  };

  void Append(broker::AppendRequest request, base::Callback<broker::AppendOutcome> done) override {
    broker::AppendOutcome outcome;
    std::vector<base::Task> woken;
    {
      const base::MutexLock lock(mutex_);
      if (fail_appends_with_.ok()) {
        outcome.base_offset = Offset(static_cast<int64_t>(logs_[request.target].size()));
        outcome.last_offset = outcome.base_offset;
        outcome.epoch = LeaderEpoch(3);
        logs_[request.target].push_back(base::Buffer::CopyOf(request.batch.bytes()));
        woken = TakeWokenLocked(request.target);
      } else {
        outcome.status = fail_appends_with_;
      }
      appended_.push_back({request, std::string(request.batch.text())});
      changed_.SignalAll();
      if (holding_) {
        held_.push_back([done = std::move(done), outcome]() mutable { done(std::move(outcome)); });
        done = nullptr;
      }
    }
    for (base::Task& wake : woken) wake();
    if (done) done(std::move(outcome));
  }

  broker::FetchTicket Fetch(broker::FetchRequest request,
                            base::Callback<broker::FetchOutcome> done) override {
    broker::FetchOutcome outcome;
    {
      const base::MutexLock lock(mutex_);
      fetches_.push_back(request);
      outcome = ReadLocked(request);
      changed_.SignalAll();
      if (outcome.status.ok() && outcome.next_offset == request.offset &&
          request.wait_until > absl::ZeroDuration()) {
        const auto ticket = static_cast<broker::FetchTicket>(++tickets_);
        waiting_.emplace(ticket, Waiting{request, std::move(done)});
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

  void CancelFetch(const TopicPartition& source, broker::FetchTicket ticket) {
    base::Callback<broker::FetchOutcome> done;
    {
      const base::MutexLock lock(mutex_);
      const auto found = waiting_.find(ticket);
      if (found == waiting_.end() || found->second.request.source != source) return;
      done = std::move(found->second.done);
      waiting_.erase(found);
      changed_.SignalAll();
    }
    broker::FetchOutcome outcome;
    outcome.status = MakeError(Reason::kCancelled, "given up");
    done(std::move(outcome));
  }

  void FindOffset(broker::OffsetQuery query, base::Callback<broker::OffsetOutcome> done) override {
    broker::OffsetOutcome outcome;
    {
      const base::MutexLock lock(mutex_);
      const auto end = Offset(static_cast<int64_t>(logs_[query.source].size()));
      outcome.high_watermark = end;
      outcome.log_end = end;
      if (!std::holds_alternative<broker::FromStart>(query.spec)) outcome.offset = end;
      ++offset_queries_;
      changed_.SignalAll();
      if (holding_) {
        held_.push_back([done = std::move(done), outcome]() mutable { done(std::move(outcome)); });
        return;
      }
    }
    done(std::move(outcome));
  }

  /// The log then starts at `before`; one that is not named ends where it starts.
  void DeleteRecords(broker::RecordDeletion deletion,
                     base::Callback<broker::DeletionOutcome> done) override {
    broker::DeletionOutcome outcome;
    {
      const base::MutexLock lock(mutex_);
      const auto end = Offset(static_cast<int64_t>(logs_[deletion.target].size()));
      outcome.log_start = deletion.before.value_or(end);
      if (outcome.log_start > end) {
        outcome.status = MakeError(Reason::kOffsetOutOfRange, "beyond the end");
      }
    }
    done(outcome);
  }

  void InitProducer(base::Callback<absl::StatusOr<broker::ProducerIdentity>> done) override {
    done(broker::ProducerIdentity{.id = ProducerId(4000), .epoch = 0});
  }

  // What tests do and see.

  void HoldAnswers() {
    const base::MutexLock lock(mutex_);
    holding_ = true;
  }
  void LetAnswersGo() {
    std::deque<base::Task> held;
    {
      const base::MutexLock lock(mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (base::Task& task : held) task();
  }
  void FailAppendsWith(absl::Status status) {
    const base::MutexLock lock(mutex_);
    fail_appends_with_ = std::move(status);
  }
  void Store(const TopicPartition& id, std::string_view bytes) {
    Append({.target = id, .batch = base::Buffer::CopyOf(base::AsBytes(bytes))}, [](const auto&) {});
  }
  /// Fetches end before the range, and inside of it are told where it ends.
  void Skip(const CorruptRange& range) {
    const base::MutexLock lock(mutex_);
    skipped_ = range;
  }
  std::vector<Appended> WaitForAppends(size_t count) {
    const base::MutexLock lock(mutex_);
    while (appended_.size() < count) changed_.Wait(mutex_);
    return appended_;
  }
  size_t appends() {
    const base::MutexLock lock(mutex_);
    return appended_.size();
  }
  void WaitForWaitingFetches(size_t count) {
    const base::MutexLock lock(mutex_);
    while (waiting_.size() != count) changed_.Wait(mutex_);
  }
  void WaitForOffsetQueries(int count) {
    const base::MutexLock lock(mutex_);
    while (offset_queries_ < count) changed_.Wait(mutex_);
  }
  int offset_queries() {
    const base::MutexLock lock(mutex_);
    return offset_queries_;
  }
  std::vector<broker::FetchRequest> fetches() {
    const base::MutexLock lock(mutex_);
    return fetches_;
  }

 private:
  struct Waiting {
    broker::FetchRequest request;
    base::Callback<broker::FetchOutcome> done;
  };

  broker::FetchOutcome ReadLocked(const broker::FetchRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    broker::FetchOutcome outcome;
    const auto log = logs_.find(request.source);
    if (log == logs_.end()) {
      outcome.status = MakeError(Reason::kUnknownTopicId, "there is no such topic");
      return outcome;
    }
    const auto end = static_cast<int64_t>(log->second.size());
    outcome.high_watermark = Offset(end);
    outcome.next_offset = request.offset;
    outcome.epoch = LeaderEpoch(3);
    if (request.offset < Offset(0) || request.offset > Offset(end)) {
      outcome.status =
          MakeError(Reason::kOffsetOutOfRange,
                    base::StrCat("offset ", request.offset.value(), " is not in [0, ", end, "]"));
    }
    if (request.offset >= skipped_.first && request.offset < skipped_.next) {
      outcome.next_offset = skipped_.next;
      return outcome;
    }
    int64_t bytes = 0;
    for (int64_t i = request.offset.value(); outcome.status.ok() && i < end; ++i) {
      if (Offset(i) == skipped_.first && i < skipped_.next.value()) break;
      const base::Buffer& batch = log->second[static_cast<size_t>(i)];
      bytes += static_cast<int64_t>(batch.size());
      if (!outcome.chunks.empty() && bytes > request.bytes_max) break;
      outcome.chunks.push_back(batch);
      outcome.next_offset = Offset(i + 1);
    }
    return outcome;
  }

  std::vector<base::Task> TakeWokenLocked(const TopicPartition& id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<base::Task> woken;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (it->second.request.source == id) {
        woken.push_back(
            [done = std::move(it->second.done),
             outcome = ReadLocked(it->second.request)]() mutable { done(std::move(outcome)); });
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
    return woken;
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status fail_appends_with_ ABSL_GUARDED_BY(mutex_);
  std::deque<base::Task> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<Appended> appended_ ABSL_GUARDED_BY(mutex_);
  std::vector<broker::FetchRequest> fetches_ ABSL_GUARDED_BY(mutex_);
  std::map<TopicPartition, std::vector<base::Buffer>> logs_ ABSL_GUARDED_BY(mutex_);
  std::map<broker::FetchTicket, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  CorruptRange skipped_ ABSL_GUARDED_BY(mutex_);
  uint64_t tickets_ ABSL_GUARDED_BY(mutex_) = 0;
  int offset_queries_ ABSL_GUARDED_BY(mutex_) = 0;
};

/// A TopicService with one topic, "orders", of two partitions; every change is refused as the
/// name says: "taken" exists, anything else is created. Thread-safe.
class FakeTopics final : public broker::TopicService {
 public:
  FakeTopics() {
    auto topic = std::make_shared<metadata::TopicImage>();
    topic->id = TopicId({1, 2, 3});
    topic->name = "orders";
    topic->partitions.resize(2);
    topic->partitions[0].replicas = {BrokerId(0)};
    auto image = std::make_shared<metadata::ClusterImage>();
    image->cluster_id = "test-cluster";
    image->brokers[BrokerId(0)] = {BrokerId(0), "127.0.0.1:9191", 7};
    image->topics_by_name.emplace(topic->name, topic);
    image->topics_by_id.emplace(topic->id, topic);
    topic_ = topic;
    image_ = image;
  }

  using Created = absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>;
  void Create(broker::TopicCreation creation, absl::Duration,
              base::Callback<Created> done) override {
    if (creation.name == "taken") {
      done(MakeError(Reason::kTopicExists, "topic taken exists already"));
    } else {
      done(topic_);
    }
  }
  void Alter(broker::TopicAlteration, absl::Duration, base::Callback<absl::Status> done) override {
    done(absl::OkStatus());
  }
  void AddPartitions(std::string name, int32_t total, absl::Duration,
                     base::Callback<absl::Status> done) override {
    done(total > 2 ? absl::OkStatus()
                   : MakeError(Reason::kInvalidPartitions, base::StrCat(name, " has 2 already")));
  }
  absl::StatusOr<broker::TopicCreation> CheckCreate(broker::TopicCreation creation) const override {
    return creation;
  }
  absl::Status CheckAlter(const broker::TopicAlteration&) const override {
    return absl::OkStatus();
  }
  absl::Status CheckAddPartitions(const std::string&, int32_t) const override {
    return absl::OkStatus();
  }
  void Delete(std::string, absl::Duration, base::Callback<absl::Status> done) override {
    done(absl::OkStatus());
  }
  void SkipCorrupt(std::string name, PartitionId, Offset to, absl::Duration,
                   base::Callback<absl::StatusOr<CorruptRange>> done) override {
    const CorruptRange damage{.first = Offset(3), .next = Offset(5)};
    if (to >= damage.next) return done(CorruptRange{.first = damage.first, .next = to});
    done(MakeCorruptData(base::StrCat(name, " is damaged"), damage));
  }
  void Describe(std::string name,
                base::Callback<absl::StatusOr<broker::TopicDescription>> done) override {
    if (name != topic_->name) {
      done(MakeError(Reason::kUnknownTopic, base::StrCat("there is no topic ", name)));
      return;
    }
    broker::TopicDescription description{.topic = topic_, .configs = {}, .partitions = {}};
    description.configs.push_back({"segment.bytes", "268435456", "268435456", true});
    description.partitions.resize(2);
    description.partitions[0].skipped = {{.first = Offset(1), .next = Offset(4)}};
    description.partitions[1].status = MakeError(Reason::kStorageFenced, "the log is fenced");
    const base::MutexLock lock(mutex_);
    if (holding_) {
      held_.push_back([done = std::move(done), description]() mutable { done(description); });
    } else {
      done(std::move(description));
    }
  }
  std::shared_ptr<const metadata::ClusterImage> image() const override { return image_; }

  // What tests do and see.

  /// Gives the topic so many partitions and a label. Before the calls.
  void Widen(size_t partitions, std::string label) {
    auto topic = std::make_shared<metadata::TopicImage>(*topic_);
    topic->partitions.resize(partitions);
    topic->configs["label.of"] = std::move(label);
    auto image = std::make_shared<metadata::ClusterImage>(*image_);
    image->topics_by_name[topic->name] = topic;
    image->topics_by_id[topic->id] = topic;
    topic_ = topic;
    image_ = image;
  }
  void HoldDescriptions() {
    const base::MutexLock lock(mutex_);
    holding_ = true;
  }
  /// How many there were.
  size_t LetDescriptionsGo() {
    std::vector<base::Task> held;
    {
      const base::MutexLock lock(mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (base::Task& task : held) task();
    return held.size();
  }

 private:
  std::shared_ptr<const metadata::TopicImage> topic_;
  std::shared_ptr<const metadata::ClusterImage> image_;
  base::Mutex mutex_;
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<base::Task> held_ ABSL_GUARDED_BY(mutex_);
};

class FakeCluster final : public broker::ClusterService {
 public:
  broker::ServerInfo GetServerInfo() const override {
    broker::ServerInfo info;
    info.version = "0.1.0";
    info.cluster_id = "test-cluster";
    return info;
  }
  void CheckHealth(base::Callback<broker::HealthReport> done) override {
    done(broker::HealthReport{.problems = {{"data directory", "it is full"}},
                              .warnings = {{"listener grpc", "open to the world"}},
                              .orphans = {"a/0"}});
  }
  void DeleteOrphan(const TopicPartition& log, base::Callback<absl::Status> done) override {
    deleted_orphan = log;
    done(MakeError(Reason::kInvalidArgument, "topic 'orders' owns it"));
  }

  std::optional<TopicPartition> deleted_orphan;
};

/// Has one user, "taken".
class FakeUsers final : public broker::UserService {
 public:
  void Create(broker::UserCreation creation, absl::Duration,
              base::Callback<absl::Status> done) override {
    created = std::move(creation);
    if (created.name == "taken") return done(MakeError(Reason::kInvalidArgument, "it exists"));
    done(absl::OkStatus());
  }
  void Delete(std::string name, absl::Duration, base::Callback<absl::Status> done) override {
    if (name != "taken") return done(MakeError(Reason::kInvalidArgument, "there is no such user"));
    done(absl::OkStatus());
  }

  broker::UserCreation created;
};

class FakeDumps final : public broker::DumpControl {
 public:
  void Create(broker::DumpDefinition definition, absl::Duration,
              base::Callback<absl::Status> done) override {
    created = std::move(definition);
    done(absl::OkStatus());
  }
  void List(base::Callback<absl::StatusOr<std::vector<broker::DumpDescription>>> done) override {
    broker::DumpDescription dump;
    dump.definition = created;
    dump.partitions.push_back({PartitionId(0), Offset(5), Offset(9), 4});
    done(std::vector{dump});
  }
  void Describe(std::string name,
                base::Callback<absl::StatusOr<broker::DumpDescription>> done) override {
    done(MakeError(Reason::kUnknownDumpJob, base::StrCat("there is no dump ", name)));
  }
  void Pause(std::string, absl::Duration, base::Callback<absl::Status> done) override {
    done(absl::OkStatus());
  }
  void Resume(std::string, absl::Duration, base::Callback<absl::Status> done) override {
    done(absl::OkStatus());
  }
  void Delete(std::string, absl::Duration, base::Callback<absl::Status> done) override {
    done(absl::OkStatus());
  }

  broker::DumpDefinition created;
};

/// Remembers the last request of each kind and answers it with what was set.
class FakeGroups final : public broker::GroupService {
 public:
  void Heartbeat(group::HeartbeatRequest request, group::HeartbeatDone done) override {
    {
      const base::MutexLock lock(mutex_);
      if (held_members_.contains(request.member_id)) {
        held_.push_back(std::move(done));
        changed_.SignalAll();
        return;
      }
    }
    heartbeat = std::move(request);
    done(heartbeat_reply);
  }
  /// Heartbeats of this member wait until LetHeartbeatsGo.
  void HoldHeartbeatsOf(std::string member) {
    const base::MutexLock lock(mutex_);
    held_members_.insert(std::move(member));
  }
  void WaitForHeld(size_t count) {
    const base::MutexLock lock(mutex_);
    while (held_.size() < count) changed_.Wait(mutex_);
  }
  void LetHeartbeatsGo() {
    std::vector<group::HeartbeatDone> held;
    {
      const base::MutexLock lock(mutex_);
      held.swap(held_);
    }
    for (group::HeartbeatDone& done : held) done(heartbeat_reply);
  }
  void Leave(group::LeaveRequest request, group::StatusDone done) override {
    leave = std::move(request);
    done(absl::OkStatus());
  }
  void Commit(group::CommitRequest request, group::CommitDone done) override {
    std::vector<absl::Status> outcomes(request.offsets.size());
    if (!outcomes.empty()) outcomes.back() = commit_outcome;
    commit = std::move(request);
    done(std::move(outcomes));
  }
  void FetchOffsets(group::OffsetsRequest request, group::OffsetsDone done) override {
    offsets_request = std::move(request);
    done(offsets);
  }
  void Reset(group::ResetRequest request, group::CommitDone done) override {
    std::vector<absl::Status> outcomes(request.offsets.size());
    reset = std::move(request);
    done(std::move(outcomes));
  }
  void Delete(std::string group, group::StatusDone done) override {
    done(MakeError(Reason::kGroupNotEmpty, base::StrCat("group ", group, " has 1 members")));
  }
  void Forget(group::ForgetRequest request, group::ForgetDone done) override {
    done(std::vector<absl::Status>(request.partitions.size()));
  }
  void List(group::ListDone done) override { done(summaries); }
  void Describe(std::string, group::DescribeDone done) override { done(description); }
  void Drain() override {}

  void Join(group::ClassicJoinRequest, group::ClassicJoinDone) override {}
  void Sync(group::ClassicSyncRequest, group::ClassicSyncDone) override {}
  void ClassicHeartbeat(group::ClassicHeartbeatRequest, group::StatusDone) override {}
  void ClassicLeave(group::ClassicLeaveRequest, group::ClassicLeaveDone) override {}

  group::HeartbeatRequest heartbeat;
  absl::StatusOr<group::HeartbeatReply> heartbeat_reply = group::HeartbeatReply();
  group::LeaveRequest leave;
  group::CommitRequest commit;
  absl::Status commit_outcome;
  group::OffsetsRequest offsets_request;
  group::Offsets offsets;
  group::ResetRequest reset;
  std::vector<group::GroupSummary> summaries;
  group::GroupDescription description;

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::set<std::string> held_members_ ABSL_GUARDED_BY(mutex_);
  std::vector<group::HeartbeatDone> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::rpc
