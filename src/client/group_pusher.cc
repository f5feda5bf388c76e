#include "client/group_pusher.h"

#include <algorithm>
#include <utility>

namespace talosmq::client {

void GroupPusher::Start(std::shared_ptr<GroupCore> group) {
  group_ = std::move(group);
  group_->Start();
  if (options_.commit_interval != absl::InfiniteDuration()) CommitLater();
}

void GroupPusher::OnStarted(std::vector<GroupStart> started) {
  for (GroupStart& start : started) {
    Topic& topic = topics_[start.partition.topic_id];
    topic.partitions.insert(start.partition.partition);
    if (topic.pusher != nullptr) topic.pusher->Learn(start.topic);
    handlers_.start(std::move(start));
  }
}

void GroupPusher::OnRevoked(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& partition : partitions) handlers_.end(partition);
}

void GroupPusher::OnLost(const std::vector<TopicPartition>& partitions,
                         const absl::Status& /*why*/) {
  for (const TopicPartition& partition : partitions) {
    const auto lane = lanes_.find(partition);
    if (lane != lanes_.end()) lane->second->is_lost = true;
    handlers_.lose(partition);
  }
}

void GroupPusher::OnFailed(const absl::Status& why) { handlers_.fail(why); }

void GroupPusher::Add(const GroupStart& start, std::shared_ptr<PushLane> lane,
                      std::shared_ptr<LaneProgress> progress) {
  if (is_closed_) return;
  Topic& topic = topics_[start.partition.topic_id];
  if (topic.pusher == nullptr) {
    ConsumerOptions options = options_.consumer;
    options.prefetch_bytes /= static_cast<int64_t>(topics_.size());
    topic.pusher = PushCore::Create(core_, std::move(options), options_.lane_bytes, start.topic);
    topic.pusher->Start();
  }
  lanes_[start.partition] = std::move(progress);
  topic.pusher->Add(start.partition.partition, start.offset, std::move(lane));
}

void GroupPusher::Remove(const TopicPartition& partition) {
  lanes_.erase(partition);
  const auto entry = topics_.find(partition.topic_id);
  if (entry != topics_.end()) {
    Topic& topic = entry->second;
    if (topic.pusher != nullptr) topic.pusher->Remove(partition.partition);
    topic.partitions.erase(partition.partition);
    if (topic.partitions.empty()) {
      if (topic.pusher != nullptr) topic.pusher->Close();
      topics_.erase(entry);
    }
  }
  if (is_closed_) return;
  group_->Release({partition});
  group_->CheckPresence();
}

absl::Duration GroupPusher::busy_since() const {
  int64_t since_ns = kNotBusy;
  for (const auto& [partition, lane] : lanes_) {
    since_ns = std::min(since_ns, lane->busy_since_ns.load());
  }
  return BusySince(since_ns);
}

PushCore* GroupPusher::Find(const TopicPartition& partition) {
  const auto topic = topics_.find(partition.topic_id);
  return topic == topics_.end() ? nullptr : topic->second.pusher.get();
}

void GroupPusher::OnLow(const TopicPartition& partition) {
  if (PushCore* const pusher = Find(partition)) pusher->OnLow(partition.partition);
}

void GroupPusher::OnEnded(const TopicPartition& partition) {
  if (PushCore* const pusher = Find(partition)) pusher->OnEnded(partition.partition);
}

void GroupPusher::Close() {
  is_closed_ = true;
  for (auto& [id, topic] : topics_) {
    if (topic.pusher != nullptr) topic.pusher->Close();
  }
  topics_.clear();
  lanes_.clear();
}

void GroupPusher::CommitLater() {
  core_.executor().PostAfter(options_.commit_interval, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->is_closed_) return;
    self->CommitAll();
    self->CommitLater();
  });
}

void GroupPusher::CommitAll() {
  if (!group_->IsLive()) return;
  std::vector<std::pair<OffsetCommit, std::shared_ptr<LaneProgress>>> commits;
  for (const auto& [partition, lane] : lanes_) {
    const std::optional<Offset> next = lane->TakeUncommitted();
    if (next) commits.push_back({{.partition = partition, .offset = *next}, lane});
  }
  if (!commits.empty()) CommitProgress(core_.executor(), group_, std::move(commits), {});
}

}  // namespace talosmq::client
