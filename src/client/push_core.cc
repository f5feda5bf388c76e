#include "client/push_core.h"

#include <utility>

namespace talosmq::client {

std::shared_ptr<PushCore> PushCore::Create(ClientCore& core, ConsumerOptions options,
                                           int64_t lane_bytes, TopicImagePtr topic) {
  std::shared_ptr<PushCore> push(new PushCore(lane_bytes));
  push->fetcher_ = std::make_shared<FetchCore>(core, std::move(options), std::move(topic), push);
  return push;
}

void PushCore::Add(PartitionId partition, Offset from, std::shared_ptr<PushLane> lane) {
  Fed& fed = lanes_[partition];
  fed = {.lane = std::move(lane), .next_offset = from};
  Fetch(partition, fed);
}

void PushCore::Remove(PartitionId partition) {
  lanes_.erase(partition);
  fetcher_->Remove(partition);
}

void PushCore::Fetch(PartitionId partition, Fed& fed) {
  fed.is_held = false;
  fed.generation = ++last_generation_;
  fetcher_->Seek({.partition = partition, .offset = fed.next_offset, .generation = fed.generation});
}

void PushCore::Push(FetchedChunk chunk) {
  const auto size = static_cast<int64_t>(chunk.records.size());
  const PartitionId partition = chunk.partition;
  if (size > 0) fetcher_->ReturnCredit(partition, size);
  const auto entry = lanes_.find(partition);
  if (entry == lanes_.end() || entry->second.generation != chunk.generation) return;
  Fed& fed = entry->second;
  const bool is_news_only = chunk.status.ok() && size == 0 && chunk.next_offset == fed.next_offset;
  if (is_news_only && !chunk.moved_to.has_value()) {
    fed.lane->NoteHighWatermark(chunk.high_watermark);
    return;
  }
  fed.next_offset = chunk.next_offset;
  fed.lane->Push(std::move(chunk));
  if (fed.lane->bytes() <= lane_bytes_) return;
  fed.is_held = true;
  fetcher_->Halt(partition, fed.generation);
}

void PushCore::OnLow(PartitionId partition) {
  const auto entry = lanes_.find(partition);
  if (entry != lanes_.end() && entry->second.is_held) Fetch(partition, entry->second);
}

void PushCore::OnEnded(PartitionId partition) {
  const auto entry = lanes_.find(partition);
  if (entry == lanes_.end()) return;
  fetcher_->Halt(partition, entry->second.generation);
  lanes_.erase(entry);
}

void PushCore::Close() {
  lanes_.clear();
  fetcher_->Close();
  fetcher_ = nullptr;
}

}  // namespace talosmq::client
