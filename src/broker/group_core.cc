#include "broker/group_core.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "broker/countdown.h"
#include "metadata/cluster_image.h"
#include "metadata/topic_name.h"
#include "talosmq/error.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::broker {
namespace {

absl::Status ShuttingDown() { return MakeError(Reason::kShuttingDown, "the broker is stopping"); }

group::TopicCatalogue CatalogueOf(const metadata::ClusterImage& image) {
  group::TopicCatalogue catalogue;
  for (const auto& [name, topic] : image.topics_by_name) {
    if (topic->is_internal || topic->state != metadata::TopicState::kActive) continue;
    catalogue.by_name.emplace(
        name, group::CataloguedTopic{.id = topic->id,
                                     .partitions = static_cast<int32_t>(topic->partitions.size())});
    catalogue.name_of.emplace(topic->id, name);
  }
  for (const auto& [id, deletion] : image.deletions) catalogue.deleted.insert(id);
  for (const auto& [id, topic] : image.topics_by_id) {
    if (topic->state == metadata::TopicState::kDeleting) catalogue.deleted.insert(id);
  }
  return catalogue;
}

/// What groups go by has not changed; epochs and leaders do all the time.
bool HaveSameTopics(const metadata::ClusterImage& before, const metadata::ClusterImage& after) {
  const auto is_same = [](const auto& a, const auto& b) {
    return a.second == b.second || (a.first == b.first && a.second->name == b.second->name &&
                                    a.second->state == b.second->state &&
                                    a.second->partitions.size() == b.second->partitions.size());
  };
  return before.deletions.size() == after.deletions.size() &&
         std::ranges::equal(before.topics_by_id, after.topics_by_id, is_same);
}

absl::Status TopicIsBeingMade() {
  return MakeError(Reason::kCoordinatorNotAvailable,
                   base::StrCat("topic ", group::kOffsetsTopic,
                                " is being made, since this is the first group"));
}

}  // namespace

GroupCore::GroupCore(Dependencies dependencies)
    : dependencies_(std::move(dependencies)),
      metrics_(dependencies_.metrics),
      lag_({.messages = dependencies_.messages,
            .metrics = metrics_,
            .admin_executor = dependencies_.admin_executor,
            .admin_gate = dependencies_.admin_gate,
            .coordinators = [this] { return All(); },
            .topics = [this] { return topics(); }}) {}

std::shared_ptr<const group::TopicCatalogue> GroupCore::topics() {
  const base::MutexLock lock(mutex_);
  return topics_;
}

absl::StatusOr<GroupCore::Placed> GroupCore::Find(PartitionId partition) {
  const base::MutexLock lock(mutex_);
  if (is_stopped_) return ShuttingDown();
  const auto topic = dependencies_.images.current()->FindTopic(group::kOffsetsTopic);
  if (topic == nullptr || topic->state != metadata::TopicState::kActive) return TopicIsBeingMade();
  const TopicPartition log{.topic_id = topic->id, .partition = partition};
  const auto known = coordinators_.find(log);
  if (known != coordinators_.end()) return known->second;
  base::Executor& executor =
      *dependencies_.shards[static_cast<size_t>(partition.value()) % dependencies_.shards.size()];
  auto coordinator = std::make_shared<GroupCoordinator>(
      log, GroupCoordinator::Dependencies{.messages = dependencies_.messages,
                                          .metadata_store = dependencies_.metadata_store,
                                          .views = dependencies_.views,
                                          .executor = executor,
                                          .views_executor = dependencies_.views_executor,
                                          .clock = dependencies_.clock,
                                          .random = random_,
                                          .metrics = metrics_,
                                          .options = dependencies_.options,
                                          .self = dependencies_.self,
                                          .topics = [this] { return topics(); }});
  return coordinators_.emplace(log, Placed{coordinator, &executor}).first->second;
}

void GroupCore::CreateTopic() {
  {
    const base::MutexLock lock(mutex_);
    if (is_creating_ || is_stopped_) return;
    is_creating_ = true;
  }
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (!pass.has_value()) return RefuseWaiting(ShuttingDown());
  dependencies_.controller.Create(
      {.name = std::string(group::kOffsetsTopic),
       .partitions = group::kOffsetsPartitions,
       .configs = {{"cleanup.policy", "compact"}}},
      [this, pass = *std::move(pass)](const absl::StatusOr<controller::CreatedTopic>& created) {
        if (!created.ok() && ReasonOf(created.status()) != Reason::kTopicExists) {
          base::LogError("broker", "topic ", group::kOffsetsTopic,
                         " cannot be made: ", base::FromAbsl(created.status().message()));
        }
        {
          const base::MutexLock lock(mutex_);
          is_creating_ = false;
        }
        if (!created.ok()) RefuseWaiting(TopicIsBeingMade());
      });
}

bool GroupCore::HasTopic() const {
  const auto topic = dependencies_.images.current()->FindTopic(group::kOffsetsTopic);
  return topic != nullptr && topic->state == metadata::TopicState::kActive;
}

bool GroupCore::KeepForTopic(const std::string& group, std::unique_ptr<GroupCall>& call) {
  {
    const base::MutexLock lock(mutex_);
    // Under the lock, under which Adopt, which follows the image, takes what waits.
    if (is_stopped_ || HasTopic() || waiting_.size() == kWaitingMax) return false;
    waiting_.push_back({.group = group, .call = std::move(call)});
  }
  CreateTopic();
  return true;
}

std::vector<GroupCore::WaitingCall> GroupCore::TakeWaiting() {
  const base::MutexLock lock(mutex_);
  return std::exchange(waiting_, {});
}

void GroupCore::RefuseWaiting(const absl::Status& why) {
  for (const WaitingCall& waiting : TakeWaiting()) waiting.call->Refuse(why);
}

template <typename Answer, typename RunCall>
void GroupCore::Route(const std::string& group, base::Callback<Answer> done, Answer answer,
                      RunCall run) {
  Dispatch(group, MakeGroupCall(std::move(done), std::move(answer), std::move(run)));
}

void GroupCore::Dispatch(const std::string& group, std::unique_ptr<GroupCall> call) {
  if (KeepForTopic(group, call)) return;
  const auto placed = Find(group::PartitionOfGroup(group));
  if (!placed.ok()) return call->Refuse(placed.status());
  GroupCall& waiting = *call;
  base::Task task = [coordinator = placed->first, call = std::move(call)]() mutable {
    coordinator->Handle(std::move(call));
  };
  if (!placed->second->TryPost(task)) {
    waiting.Refuse(MakeError(Reason::kOverloaded,
                             base::StrCat("group ", base::Printable(group, 50),
                                          ": the shard of its coordinator has too much to do")));
  }
}

void GroupCore::Heartbeat(group::HeartbeatRequest request, group::HeartbeatDone done) {
  const std::string name = request.group;
  Route(name, std::move(done), absl::StatusOr<group::HeartbeatReply>(group::HeartbeatReply()),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.Heartbeat(std::move(request), now, std::move(answer));
        });
}

void GroupCore::Leave(group::LeaveRequest request, group::StatusDone done) {
  const std::string name = request.group;
  Route(name, std::move(done), absl::Status(),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.Leave(std::move(request), now, std::move(answer));
        });
}

void GroupCore::Commit(group::CommitRequest request, group::CommitDone done) {
  const std::string name = request.group;
  std::vector<absl::Status> outcomes(request.offsets.size());
  Route(name, std::move(done), std::move(outcomes),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.Commit(std::move(request), now, std::move(answer));
        });
}

void GroupCore::FetchOffsets(group::OffsetsRequest request, group::OffsetsDone done) {
  const std::string name = request.group;
  Route(name, std::move(done), absl::StatusOr<group::Offsets>(group::Offsets()),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.FetchOffsets(std::move(request), now, std::move(answer));
        });
}

void GroupCore::Reset(group::ResetRequest request, group::CommitDone done) {
  const std::string name = request.group;
  std::vector<absl::Status> outcomes(request.offsets.size());
  Route(name, std::move(done), std::move(outcomes),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.Reset(std::move(request), now, std::move(answer));
        });
}

void GroupCore::Forget(group::ForgetRequest request, group::ForgetDone done) {
  const std::string name = request.group;
  Route(name, std::move(done),
        absl::StatusOr<std::vector<absl::Status>>(std::vector<absl::Status>()),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.Forget(request, now, std::move(answer));
        });
}

void GroupCore::Delete(std::string group, group::StatusDone done) {
  const std::string name = group;
  Route(name, std::move(done), absl::Status(),
        [group = std::move(group)](group::Coordinator& coordinator, group::Now now,
                                   auto answer) mutable {
          return coordinator.Delete(std::move(group), now, std::move(answer));
        });
}

void GroupCore::Describe(std::string group, group::DescribeDone done) {
  const std::string name = group;
  Route(name, std::move(done), absl::StatusOr<group::GroupDescription>(group::GroupDescription()),
        [group = std::move(group)](group::Coordinator& coordinator, group::Now now,
                                   auto answer) mutable {
          return coordinator.Describe(std::move(group), now, std::move(answer));
        });
}

void GroupCore::List(group::ListDone done) {
  if (dependencies_.images.current()->FindTopic(group::kOffsetsTopic) == nullptr) {
    return done(std::vector<group::GroupSummary>());
  }
  struct Gathered {
    base::Mutex mutex;
    absl::StatusOr<std::vector<group::GroupSummary>> groups ABSL_GUARDED_BY(mutex) =
        std::vector<group::GroupSummary>();
  };
  const auto gathered = std::make_shared<Gathered>();
  const auto all =
      Countdown::Start(group::kOffsetsPartitions, [gathered, done = std::move(done)]() mutable {
        absl::StatusOr<std::vector<group::GroupSummary>> groups;
        {
          const base::MutexLock lock(gathered->mutex);
          groups = std::move(gathered->groups);
        }
        if (groups.ok()) std::ranges::sort(*groups, {}, &group::GroupSummary::group);
        done(std::move(groups));
      });
  const auto add = [gathered, all](absl::StatusOr<std::vector<group::GroupSummary>> part) {
    {
      const base::MutexLock lock(gathered->mutex);
      if (!part.ok()) {
        gathered->groups = part.status();
      } else if (gathered->groups.ok()) {
        std::ranges::move(*part, std::back_inserter(*gathered->groups));
      }
    }
    all->PartDone();
  };
  for (int32_t i = 0; i < group::kOffsetsPartitions; ++i) {
    const auto placed = Find(PartitionId(i));
    if (!placed.ok()) {
      add(placed.status());
      continue;
    }
    auto call =
        MakeGroupCall(group::ListDone(add), absl::StatusOr<std::vector<group::GroupSummary>>(),
                      [](group::Coordinator& coordinator, group::Now now, group::ListDone answer) {
                        return coordinator.List(now, std::move(answer));
                      });
    placed->second->Post([coordinator = placed->first, call = std::move(call)]() mutable {
      coordinator->Handle(std::move(call));
    });
  }
}

void GroupCore::Join(group::ClassicJoinRequest request, group::ClassicJoinDone done) {
  const std::string name = request.group;
  Route(name, std::move(done), group::ClassicJoinOutcome(),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.Join(std::move(request), now, std::move(answer));
        });
}

void GroupCore::Sync(group::ClassicSyncRequest request, group::ClassicSyncDone done) {
  const std::string name = request.group;
  Route(name, std::move(done), absl::StatusOr<group::ClassicSyncReply>(group::ClassicSyncReply()),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.Sync(std::move(request), now, std::move(answer));
        });
}

void GroupCore::ClassicHeartbeat(group::ClassicHeartbeatRequest request, group::StatusDone done) {
  const std::string name = request.group;
  Route(name, std::move(done), absl::Status(),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.ClassicHeartbeat(std::move(request), now, std::move(answer));
        });
}

void GroupCore::ClassicLeave(group::ClassicLeaveRequest request, group::ClassicLeaveDone done) {
  const std::string name = request.group;
  std::vector<absl::Status> outcomes(request.members.size());
  Route(name, std::move(done), std::move(outcomes),
        [request = std::move(request)](group::Coordinator& coordinator, group::Now now,
                                       auto answer) mutable {
          return coordinator.ClassicLeave(std::move(request), now, std::move(answer));
        });
}

std::vector<GroupCore::Placed> GroupCore::All() {
  std::vector<Placed> all;
  const base::MutexLock lock(mutex_);
  for (const auto& [log, placed] : coordinators_) all.push_back(placed);
  return all;
}

void GroupCore::Adopt(const metadata::ClusterImage& before, const metadata::ClusterImage& after) {
  if (HaveSameTopics(before, after)) return;
  auto topics = std::make_shared<const group::TopicCatalogue>(CatalogueOf(after));
  {
    const base::MutexLock lock(mutex_);
    topics_ = std::move(topics);
  }
  for (const Placed& placed : All()) {
    placed.second->Post([coordinator = placed.first] { coordinator->OnTopics(); });
  }
  if (before.FindTopic(group::kOffsetsTopic) != nullptr) return;
  StartAll();
  if (!HasTopic()) return;
  for (WaitingCall& waiting : TakeWaiting()) Dispatch(waiting.group, std::move(waiting.call));
}

void GroupCore::StartAll() {
  const auto topic = dependencies_.images.current()->FindTopic(group::kOffsetsTopic);
  if (topic == nullptr || topic->state != metadata::TopicState::kActive) return;
  for (int32_t i = 0; i < group::kOffsetsPartitions; ++i) {
    const auto placed = Find(PartitionId(i));
    if (!placed.ok()) return;
    placed->second->Post([coordinator = placed->first] { coordinator->Start(); });
  }
}

void GroupCore::Start() {
  StartAll();
  lag_.Start();
  ExpireLater();
}

void GroupCore::ExpireLater() {
  timer_ = dependencies_.admin_executor.PostAfter(kExpiryInterval, [this] {
    std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
    if (!pass.has_value()) return;
    const absl::Time now = dependencies_.sweep_clock.NowForAges();
    for (const Placed& placed : All()) {
      placed.second->Post([coordinator = placed.first, now] { coordinator->Expire(now); });
    }
    ExpireLater();
  });
}

void GroupCore::Drain() {
  {
    const base::MutexLock lock(mutex_);
    is_stopped_ = true;
  }
  RefuseWaiting(ShuttingDown());
  for (const Placed& placed : All()) {
    placed.second->Post([coordinator = placed.first] { coordinator->Drain(); });
  }
}

void GroupCore::Stop(base::Task done) {
  Drain();
  dependencies_.admin_executor.Cancel(timer_);
  lag_.Stop();
  const std::vector<Placed> all = All();
  const auto stopped = Countdown::Start(static_cast<int64_t>(all.size()) + 1, std::move(done));
  for (const Placed& placed : all) {
    placed.second->Post([coordinator = placed.first, stopped] {
      coordinator->Stop([stopped] { stopped->PartDone(); });
    });
  }
  stopped->PartDone();
}

}  // namespace talosmq::broker
