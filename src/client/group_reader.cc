#include "client/group_reader.h"

#include <algorithm>
#include <utility>

namespace talosmq::client {

void GroupReader::OnStarted(std::vector<GroupStart> started) {
  for (const GroupStart& start : started) {
    Topic& topic = topics_[start.partition.topic_id];
    topic.image = start.topic;
    topic.partitions.insert(start.partition.partition);
    if (topic.fetcher != nullptr) topic.fetcher->Learn(start.topic);
  }
  queue_->PushEvent({.kind = GroupEvent::Kind::kStarted, .started = std::move(started)});
}

void GroupReader::OnRevoked(const std::vector<TopicPartition>& partitions) {
  queue_->PushEvent({.kind = GroupEvent::Kind::kRevoked, .partitions = partitions});
}

void GroupReader::OnLost(const std::vector<TopicPartition>& partitions, const absl::Status& why) {
  queue_->PushEvent({.kind = GroupEvent::Kind::kLost, .partitions = partitions, .why = why});
}

void GroupReader::OnFailed(const absl::Status& why) {
  queue_->PushEvent({.kind = GroupEvent::Kind::kFailed, .why = why});
}

void GroupReader::Seek(TopicId id, const PartitionWish& wish) {
  const auto entry = topics_.find(id);
  if (entry == topics_.end()) return;
  Topic& topic = entry->second;
  if (topic.fetcher == nullptr) {
    ConsumerOptions options = options_;
    options.prefetch_bytes /= static_cast<int64_t>(topics_.size());
    topic.fetcher = std::make_shared<FetchCore>(core_, std::move(options), topic.image,
                                                std::make_shared<TopicSink>(id, queue_));
    topic.fetcher->Start();
  }
  topic.fetcher->Seek(wish);
}

void GroupReader::Halt(const TopicPartition& partition, uint64_t generation) {
  const auto topic = topics_.find(partition.topic_id);
  if (topic == topics_.end() || topic->second.fetcher == nullptr) return;
  topic->second.fetcher->Halt(partition.partition, generation);
}

void GroupReader::Remove(const TopicPartition& partition) {
  const auto entry = topics_.find(partition.topic_id);
  if (entry == topics_.end()) return;
  Topic& topic = entry->second;
  topic.partitions.erase(partition.partition);
  if (topic.fetcher != nullptr) topic.fetcher->Remove(partition.partition);
  if (!topic.partitions.empty()) return;
  if (topic.fetcher != nullptr) topic.fetcher->Close();
  topics_.erase(entry);
}

void GroupReader::ReturnCredit(const TopicPartition& partition, int64_t bytes) {
  const auto topic = topics_.find(partition.topic_id);
  if (topic == topics_.end() || topic->second.fetcher == nullptr) return;
  topic->second.fetcher->ReturnCredit(partition.partition, bytes);
}

void GroupReader::Close() {
  for (auto& [id, topic] : topics_) {
    if (topic.fetcher != nullptr) topic.fetcher->Close();
  }
  topics_.clear();
}

}  // namespace talosmq::client
