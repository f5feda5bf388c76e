#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/random.h"
#include "broker/group_call.h"
#include "broker/group_coordinator.h"
#include "broker/group_lag.h"
#include "broker/group_metrics.h"
#include "broker/groups.h"
#include "broker/messages.h"
#include "broker/sweep_clock.h"
#include "controller/topic_controller.h"
#include "metadata/image_publisher.h"
#include "metadata/metadata_store.h"
#include "talosmq/ids.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {

/// GroupService over the coordinators of the partitions of __consumer_offsets, which live as long
/// as the topic does, so that lags are told and offsets expire whether or not anybody calls. The
/// topic comes into being with the first group, whose calls wait for it. Thread-safe. Borrows what
/// it is made of.
class GroupCore final : public GroupService {
 public:
  static constexpr absl::Duration kExpiryInterval = absl::Minutes(10);
  static constexpr size_t kWaitingMax = 10'000;

  struct Dependencies {
    MessageService& messages;
    metadata::MetadataStore& metadata_store;
    metadata::ImagePublisher& images;
    controller::TopicController& controller;
    group::OffsetViews& views;
    base::Executor& views_executor;
    std::vector<base::Executor*> shards;  ///< Coordinators live on these.
    base::Executor& admin_executor;
    base::Gate& admin_gate;
    const base::Clock& clock;
    base::MetricRegistry& metrics;
    SweepClock& sweep_clock;  ///< Confined to the admin executor.
    group::CoordinatorOptions options;
    BrokerId self;
  };

  explicit GroupCore(Dependencies dependencies);

  void Heartbeat(group::HeartbeatRequest request, group::HeartbeatDone done) override;
  void Leave(group::LeaveRequest request, group::StatusDone done) override;
  void Commit(group::CommitRequest request, group::CommitDone done) override;
  void FetchOffsets(group::OffsetsRequest request, group::OffsetsDone done) override;
  void Reset(group::ResetRequest request, group::CommitDone done) override;
  void Forget(group::ForgetRequest request, group::ForgetDone done) override;
  void Delete(std::string group, group::StatusDone done) override;
  void List(group::ListDone done) override;
  void Describe(std::string group, group::DescribeDone done) override;

  void Drain() override;

  void Join(group::ClassicJoinRequest request, group::ClassicJoinDone done) override;
  void Sync(group::ClassicSyncRequest request, group::ClassicSyncDone done) override;
  void ClassicHeartbeat(group::ClassicHeartbeatRequest request, group::StatusDone done) override;
  void ClassicLeave(group::ClassicLeaveRequest request, group::ClassicLeaveDone done) override;

  /// On the admin executor: begins to measure lags and to let offsets expire.
  void Start();
  /// Topics have changed.
  void Adopt(const metadata::ClusterImage& before, const metadata::ClusterImage& after);
  /// On the admin executor: drains, and runs `done` once nothing is under way.
  void Stop(base::Task done);

 private:
  /// With the executor that it is confined to.
  using Placed = std::pair<std::shared_ptr<GroupCoordinator>, base::Executor*>;
  struct WaitingCall {
    std::string group;
    std::unique_ptr<GroupCall> call;
  };

  /// The coordinator of a group. kCoordinatorNotAvailable: the topic is being made.
  absl::StatusOr<Placed> Find(PartitionId partition);
  /// Posts what MakeGroupCall makes of the arguments to the coordinator of the group.
  template <typename Answer, typename RunCall>
  void Route(const std::string& group, base::Callback<Answer> done, Answer answer, RunCall run);
  void Dispatch(const std::string& group, std::unique_ptr<GroupCall> call);
  bool HasTopic() const;
  /// Takes the call until the topic is there; false, and nothing is taken, when it is.
  bool KeepForTopic(const std::string& group, std::unique_ptr<GroupCall>& call);
  std::vector<WaitingCall> TakeWaiting();
  void RefuseWaiting(const absl::Status& why);
  void CreateTopic();
  void StartAll();
  void ExpireLater();
  std::vector<Placed> All();
  std::shared_ptr<const group::TopicCatalogue> topics();

  const Dependencies dependencies_;
  base::SystemRandom random_;
  GroupMetrics metrics_;
  GroupLag lag_;
  base::Mutex mutex_;
  std::map<TopicPartition, Placed> coordinators_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const group::TopicCatalogue> topics_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<group::TopicCatalogue>();
  /// Those that came before the topic was there; at most kWaitingMax.
  std::vector<WaitingCall> waiting_ ABSL_GUARDED_BY(mutex_);
  bool is_creating_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  base::TimerId timer_ = base::TimerId::kNone;  ///< Confined to the admin executor.
};

}  // namespace talosmq::broker
