#include "talosmq/group_push_consumer.h"

#include "base/check.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "client/group_core.h"
#include "client/group_lane.h"
#include "client/group_pusher.h"
#include "client/option_checks.h"
#include "client/pending_result.h"
#include "talosmq/error.h"

#include <algorithm>
#include <map>
#include <utility>

namespace talosmq {
namespace {

using client::GroupStart;
using client::PushLane;

/// Owns the lanes. They are made and joined on a thread of its own, since the application's factory
/// and a processor that ends may block; that thread waits for no lane that has not shut down.
class LaneGroupPushConsumer final : public GroupPushConsumer {
 public:
  LaneGroupPushConsumer(client::ClientCore& client, GroupPushConsumerOptions options)
      : client_(client), options_(std::move(options)) {
    client::PendingResult<bool> made;
    client_.executor().Post([this, done = made.callback()]() mutable {
      pusher_ = std::make_shared<client::GroupPusher>(client_, PusherOptions(), Handlers());
      group_ = client::GroupCore::Create(client_, options_.member, pusher_);
      pusher_->Start(group_);
      done(true);
    });
    made.Wait();
  }

  ~LaneGroupPushConsumer() override {
    Stop().IgnoreError();
    control_.Stop();
  }

  absl::Status Stop() override {
    TALOSMQ_CHECK(!IsOwnThread()) << "a group push consumer stopped by its own callback";
    client_.executor().Post(
        [group = group_, timeout = options_.member.close_timeout] { group->SetTimeout(timeout); });
    client::PendingResult<bool> ended;
    control_.Post([this, done = ended.callback()]() mutable { EndAll(std::move(done)); });
    ended.Wait();
    {
      const base::MutexLock lock(mutex_);
      if (std::exchange(has_left_, true)) return absl::OkStatus();
    }
    client::PendingResult<absl::Status> left;
    client_.executor().Post([group = group_, pusher = pusher_, done = left.callback()]() mutable {
      pusher->Close();
      group->Leave(std::move(done));
    });
    return left.Wait();
  }

  std::vector<GroupPosition> positions() const override {
    std::vector<GroupPosition> positions;
    {
      const base::MutexLock lock(mutex_);
      for (const auto& [partition, lane] : lanes_) {
        const PartitionPosition at = lane.lane->position();
        positions.push_back({.partition = {.topic = lane.topic, .partition = at.partition},
                             .position = at.position,
                             .high_watermark = at.high_watermark});
      }
    }
    std::ranges::sort(positions, {}, &GroupPosition::partition);
    return positions;
  }

 private:
  /// On which waiting for the end would be waiting for oneself.
  bool IsOwnThread() const {
    if (client_.executor().IsCurrent() || control_.IsCurrent()) return true;
    const base::MutexLock lock(mutex_);
    return std::ranges::any_of(lanes_,
                               [](const auto& lane) { return lane.second.lane->IsCurrent(); });
  }

  struct Lane {
    std::string topic;
    std::shared_ptr<PushLane> lane;
    std::shared_ptr<client::LaneProgress> progress;
    bool is_ending = false;
    bool has_shut_down = false;
  };

  client::GroupPusher::Options PusherOptions() const {
    client::GroupPusher::Options options;
    options.consumer.prefetch_bytes = options_.prefetch_bytes;
    options.consumer.out_of_range = options_.out_of_range;
    options.consumer.on_corrupt = options_.on_corrupt;
    options.lane_bytes = options_.partition_bytes;
    if (options_.auto_commit) options.commit_interval = options_.commit_interval;
    return options;
  }

  client::GroupPusher::Handlers Handlers() {
    return {.start = [this](GroupStart start) { control_.Post([this, start] { Begin(start); }); },
            .end =
                [this](const TopicPartition& partition) {
                  control_.Post([this, partition] { End(partition); });
                },
            .lose =
                [this](const TopicPartition& partition) {
                  control_.Post([this, partition] { Lose(partition); });
                },
            .fail =
                [this](const absl::Status& why) {
                  if (options_.on_failed) options_.on_failed(why);
                }};
  }

  // All of these on the control thread.

  void Begin(const GroupStart& start) {
    if (is_stopping_) return;
    auto progress = std::make_shared<client::LaneProgress>();
    if (start.committed) progress->committed = start.committed->value();
    const NamedPartition name{.topic = start.topic->name, .partition = start.partition.partition};
    std::unique_ptr<GroupProcessor> processor = options_.new_processor(name);
    TALOSMQ_CHECK(processor != nullptr) << "new_processor returned no processor";
    auto lane = std::make_shared<PushLane>(LaneOptions(start),
                                           LaneDeps(start, progress, std::move(processor)));
    {
      const base::MutexLock lock(mutex_);
      lanes_[start.partition] = {.topic = name.topic, .lane = lane, .progress = progress};
    }
    client_.executor().Post(
        [pusher = pusher_, start, lane = std::move(lane), progress = std::move(progress)] {
          pusher->Add(start, lane, progress);
        });
  }

  PushLane::Options LaneOptions(const GroupStart& start) const {
    PushLane::Options options{.topic = start.topic->name,
                              .source = start.partition,
                              .start = start.offset,
                              .low_bytes = options_.partition_bytes / 2};
    options.consumer.on_corrupt = options_.on_corrupt;
    if (options_.on_skipped) {
      options.consumer.on_skipped = [this,
                                     topic = start.topic->name](const SkippedOffsets& skipped) {
        options_.on_skipped(topic, skipped);
      };
    }
    return options;
  }

  PushLane::Deps LaneDeps(const GroupStart& start,
                          const std::shared_ptr<client::LaneProgress>& progress,
                          std::unique_ptr<GroupProcessor> processor) {
    const TopicPartition partition = start.partition;
    const auto post = [this, partition](void (client::GroupPusher::*what)(const TopicPartition&)) {
      return [&executor = client_.executor(), pusher = pusher_, partition, what] {
        executor.Post([pusher, partition, what] { ((*pusher).*what)(partition); });
      };
    };
    return {.processor = std::make_unique<client::GroupLaneProcessor>(
                client::GroupLaneProcessor::Options{.source = partition,
                                                    .topic = start.topic->name,
                                                    .auto_commit = options_.auto_commit,
                                                    .commit_records = options_.commit_records},
                client::GroupLaneProcessor::Deps{.executor = client_.executor(),
                                                 .group = group_,
                                                 .progress = progress,
                                                 .processor = std::move(processor),
                                                 .on_shut_down =
                                                     [this, partition] {
                                                       control_.Post([this, partition] {
                                                         OnShutDown(partition);
                                                       });
                                                     }}),
            .on_low = post(&client::GroupPusher::OnLow),
            .on_ended = post(&client::GroupPusher::OnEnded),
            .metrics = client_.metrics()};
  }

  void End(const TopicPartition& partition) {
    std::shared_ptr<PushLane> lane;
    bool has_shut_down = false;
    {
      const base::MutexLock lock(mutex_);
      const auto entry = lanes_.find(partition);
      if (entry == lanes_.end()) return;
      entry->second.is_ending = true;
      has_shut_down = entry->second.has_shut_down;
      lane = entry->second.lane;
    }
    lane->BeginStop();
    if (has_shut_down) Reap(partition);
  }

  void Lose(const TopicPartition& partition) {
    {
      const base::MutexLock lock(mutex_);
      const auto entry = lanes_.find(partition);
      if (entry != lanes_.end()) entry->second.progress->is_lost = true;
    }
    End(partition);
  }

  void OnShutDown(const TopicPartition& partition) {
    bool is_ending = false;
    {
      const base::MutexLock lock(mutex_);
      const auto entry = lanes_.find(partition);
      entry->second.has_shut_down = true;
      is_ending = entry->second.is_ending;
    }
    if (is_ending) Reap(partition);
  }

  /// Joins a lane that has shut down.
  void Reap(const TopicPartition& partition) {
    std::shared_ptr<PushLane> lane;
    bool was_last = false;
    {
      const base::MutexLock lock(mutex_);
      const auto entry = lanes_.find(partition);
      lane = std::move(entry->second.lane);
      lanes_.erase(entry);
      was_last = lanes_.empty();
    }
    lane->Stop();
    client_.executor().Post([pusher = pusher_, partition] { pusher->Remove(partition); });
    if (!was_last) return;
    for (base::Callback<bool>& done : std::exchange(on_all_ended_, {})) done(true);
  }

  void EndAll(base::Callback<bool> done) {
    std::vector<TopicPartition> all;
    {
      const base::MutexLock lock(mutex_);
      for (const auto& [partition, lane] : lanes_) all.push_back(partition);
    }
    is_stopping_ = true;
    if (all.empty()) return done(true);
    on_all_ended_.push_back(std::move(done));
    for (const TopicPartition& partition : all) End(partition);
  }

  client::ClientCore& client_;
  const GroupPushConsumerOptions options_;
  std::shared_ptr<client::GroupPusher> pusher_;
  std::shared_ptr<client::GroupCore> group_;
  // Confined to the control thread.
  bool is_stopping_ = false;  ///< Nothing begins any more.
  std::vector<base::Callback<bool>> on_all_ended_;
  mutable base::Mutex mutex_;
  std::map<TopicPartition, Lane> lanes_ ABSL_GUARDED_BY(mutex_);
  bool has_left_ ABSL_GUARDED_BY(mutex_) = false;
  base::ThreadExecutor control_{{.name = "group-lanes"}};
};

}  // namespace

absl::StatusOr<std::unique_ptr<GroupPushConsumer>> GroupPushConsumer::Create(
    Client& client, GroupPushConsumerOptions options) {
  TALOSMQ_RETURN_IF_ERROR(client::CheckOptions(options));
  return std::make_unique<LaneGroupPushConsumer>(client.core(), std::move(options));
}

}  // namespace talosmq
