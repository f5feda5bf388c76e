#include "client/fetch_core.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "client/offset_lookup.h"
#include "client/retry.h"
#include "talosmq/error.h"

#include <algorithm>
#include <set>
#include <utility>

namespace talosmq::client {

FetchCore::FetchCore(ClientCore& core, ConsumerOptions options, TopicImagePtr topic,
                     std::shared_ptr<ChunkSink> sink)
    : core_(core),
      options_(std::move(options)),
      topic_(std::move(topic)),
      partition_count_(static_cast<int32_t>(topic_->partitions.size())),
      sink_(std::move(sink)) {}

void FetchCore::Start() { ScheduleRefresh(); }

void FetchCore::Assign(const std::vector<PartitionWish>& wishes) {
  for (auto& [id, partition] : partitions_) Unsubscribe(partition);
  partitions_.clear();
  for (const PartitionWish& wish : wishes) Seek(wish);
}

void FetchCore::Seek(const PartitionWish& wish) {
  Partition& partition = partitions_[wish.partition];
  Unsubscribe(partition);
  partition = {.generation = wish.generation, .next_offset = wish.offset, .session = nullptr};
  if (failed_.ok()) {
    Subscribe(wish.partition, partition);
  } else {
    Stop(wish.partition, partition, failed_);
  }
}

void FetchCore::Remove(PartitionId partition) {
  const auto entry = partitions_.find(partition);
  if (entry == partitions_.end()) return;
  Unsubscribe(entry->second);
  partitions_.erase(entry);
}

void FetchCore::Halt(PartitionId partition, uint64_t generation) {
  Partition* found = Find(partition, generation);
  if (found == nullptr) return;
  Unsubscribe(*found);
  // Nothing that is still to come for the old generation finds it any more.
  ++found->generation;
  found->has_stopped = true;
}

void FetchCore::Close() {
  closed_ = true;
  Assign({});
  for (auto& [address, session] : sessions_) session->Close();
  sessions_.clear();
}

FetchCore::Partition* FetchCore::Find(PartitionId id, uint64_t generation) {
  const auto entry = partitions_.find(id);
  if (entry == partitions_.end() || entry->second.generation != generation) return nullptr;
  return &entry->second;
}

void FetchCore::Subscribe(PartitionId id, Partition& partition) {
  const PartitionLeader& leader = topic_->partitions[static_cast<size_t>(id.value())];
  if (leader.address.empty()) {
    SubscribeLater(id, partition, MakeError(Reason::kUnavailable, "nobody is known to lead"));
    return;
  }
  partition.session = SessionFor(leader.address);
  partition.subscription = ++last_subscription_;
  by_subscription_[partition.subscription] = id;
  partition.session->Subscribe({.id = partition.subscription,
                                .source = {.topic_id = topic_->id, .partition = id},
                                .offset = partition.next_offset,
                                .known_epoch = leader.epoch});
}

void FetchCore::Unsubscribe(Partition& partition) {
  if (partition.subscription == 0) return;
  partition.session->Unsubscribe(partition.subscription);
  by_subscription_.erase(partition.subscription);
  partition.subscription = 0;
}

std::shared_ptr<FetchSession> FetchCore::SessionFor(const std::string& address) {
  std::shared_ptr<FetchSession>& session = sessions_[address];
  if (session != nullptr && !session->is_closed()) return session;
  std::set<std::string_view> brokers;
  for (const PartitionLeader& leader : topic_->partitions) brokers.insert(leader.address);
  const int64_t share = options_.prefetch_bytes / static_cast<int64_t>(brokers.size());
  const int64_t credit = std::max(share - sink_->bytes(), kCreditBytesMin);
  session =
      FetchSession::Open(address, credit, core_.transport(), core_.executor(), weak_from_this());
  return session;
}

void FetchCore::ReturnCredit(PartitionId partition, int64_t bytes) {
  const auto entry = partitions_.find(partition);
  if (entry != partitions_.end() && entry->second.session != nullptr) {
    entry->second.session->AddCredit(bytes);
    return;
  }
  // Not read any more, but the stream that brought it may serve others.
  const PartitionLeader& leader = topic_->partitions[static_cast<size_t>(partition.value())];
  const auto session = sessions_.find(leader.address);
  if (session != sessions_.end()) session->second->AddCredit(bytes);
}

void FetchCore::OnFetched(FetchSession& session, std::vector<FetchedPartition> partitions) {
  for (FetchedPartition& fetched : partitions) {
    const auto id = by_subscription_.find(fetched.subscription_id);
    if (id == by_subscription_.end()) {
      // It was on its way when the subscription ended.
      session.AddCredit(static_cast<int64_t>(fetched.records.size()));
      continue;
    }
    OnChunk(id->second, partitions_[id->second], std::move(fetched));
  }
}

void FetchCore::OnChunk(PartitionId id, Partition& partition, FetchedPartition fetched) {
  if (!fetched.status.ok()) {
    by_subscription_.erase(partition.subscription);
    partition.subscription = 0;
    OnError(id, partition, fetched);
    return;
  }
  partition.failures = 0;
  partition.next_offset = fetched.next_offset;
  sink_->Push({.partition = id,
               .generation = partition.generation,
               .status = absl::OkStatus(),
               .moved_to = std::nullopt,
               .high_watermark = fetched.high_watermark,
               .next_offset = fetched.next_offset,
               .records = std::move(fetched.records)});
}

void FetchCore::OnClosed(FetchSession& session, const absl::Status& why) {
  bool was_used = false;
  for (auto& [id, partition] : partitions_) {
    if (partition.session.get() != &session) continue;
    partition.session = nullptr;
    if (partition.subscription == 0) continue;
    was_used = true;
    by_subscription_.erase(partition.subscription);
    partition.subscription = 0;
    SubscribeLater(id, partition, why);
  }
  const auto entry = sessions_.find(session.address());
  if (entry != sessions_.end() && entry->second.get() == &session) sessions_.erase(entry);
  if (was_used) base::LogDebug("sdk", base::FromAbsl(why.message()));
}

void FetchCore::OnError(PartitionId id, Partition& partition, const FetchedPartition& fetched) {
  const absl::Status& status = fetched.status;
  const std::optional<CorruptRange> damaged = CorruptRangeOf(status);
  // One that ends no further would be asked for again and again.
  const bool can_skip = damaged.has_value() && damaged->next > partition.next_offset;
  const Reason reason = ReasonOf(status);
  const bool may_be_gone = reason == Reason::kUnknownTopicId || reason == Reason::kTopicDeleting;
  if (IsTransient(status) || may_be_gone) {
    SubscribeLater(id, partition, status);
  } else if (can_skip && options_.on_corrupt == OnCorrupt::kSkip) {
    Skip(id, partition, fetched, damaged->next);
  } else if (reason == Reason::kOffsetOutOfRange &&
             options_.out_of_range != OutOfRangePolicy::kFail) {
    base::LogWarning("sdk", "topic ", topic_->name, " partition ", id.value(), ": ",
                     base::FromAbsl(status.message()), "; going on by the out-of-range policy");
    const bool to_start = options_.out_of_range == OutOfRangePolicy::kStart;
    Reset(id, partition, to_start ? Position(AtStart()) : Position(AtEnd()));
  } else {
    Stop(id, partition, status);
  }
}

void FetchCore::Skip(PartitionId id, Partition& partition, const FetchedPartition& fetched,
                     Offset next) {
  base::LogWarning("sdk", "topic ", topic_->name, " partition ", id.value(), ": ",
                   base::FromAbsl(fetched.status.message()), "; going on at offset ", next.value());
  const Offset first = std::exchange(partition.next_offset, next);
  sink_->Push(
      {.partition = id,
       .generation = partition.generation,
       .status = absl::OkStatus(),
       .moved_to = std::nullopt,
       .high_watermark = fetched.high_watermark,
       .next_offset = next,
       .records = {},
       .skipped = {{.partition = id, .first = first, .next = next, .why = fetched.status}}});
  Subscribe(id, partition);
}

void FetchCore::Stop(PartitionId id, Partition& partition, const absl::Status& why) {
  partition.has_stopped = true;
  sink_->Push(
      {.partition = id,
       .generation = partition.generation,
       .status = base::Annotate(why, base::StrCat("topic ", topic_->name, " partition ", id.value(),
                                                  " at offset ", partition.next_offset.value())),
       .moved_to = std::nullopt,
       .high_watermark = Offset(0),
       .next_offset = partition.next_offset,
       .records = {}});
}

void FetchCore::Reset(PartitionId id, Partition& partition, Position to) {
  FindOffsets(core_, topic_->id, {{.partition = id, .position = to}},
              [weak = weak_from_this(), id, generation = partition.generation](
                  const absl::StatusOr<std::vector<Offset>>& offsets) {
                const auto self = weak.lock();
                if (self == nullptr) return;
                Partition* found = self->Find(id, generation);
                if (found == nullptr) return;
                if (!offsets.ok()) {
                  self->Stop(id, *found, offsets.status());
                  return;
                }
                self->MoveTo(id, *found, offsets->front());
              });
}

void FetchCore::MoveTo(PartitionId id, Partition& partition, Offset offset) {
  partition.next_offset = offset;
  sink_->Push({.partition = id,
               .generation = partition.generation,
               .status = absl::OkStatus(),
               .moved_to = offset,
               .high_watermark = Offset(0),
               .next_offset = offset,
               .records = {}});
  Subscribe(id, partition);
}

void FetchCore::SubscribeLater(PartitionId id, Partition& partition, const absl::Status& why) {
  core_.executor().PostAfter(core_.PauseAfter(partition.failures++, why),
                             [weak = weak_from_this(), id, generation = partition.generation] {
                               if (const auto self = weak.lock()) {
                                 self->RefreshThenSubscribe(id, generation);
                               }
                             });
}

void FetchCore::RefreshThenSubscribe(PartitionId id, uint64_t generation) {
  if (Find(id, generation) == nullptr) return;
  core_.metadata().Refresh(topic_->id, [weak = weak_from_this(), id,
                                        generation](const absl::StatusOr<TopicImagePtr>& image) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->OnImage(image);
    Partition* partition = self->Find(id, generation);
    if (partition == nullptr || partition->has_stopped) return;
    if (image.ok()) {
      self->Subscribe(id, *partition);
    } else if (IsTransient(image.status()) ||
               ReasonOf(image.status()) == Reason::kDeadlineExceeded) {
      // A server that hangs may come back; asking again changes nothing.
      self->SubscribeLater(id, *partition, image.status());
    } else {
      self->Stop(id, *partition, image.status());
    }
  });
}

void FetchCore::ScheduleRefresh() {
  core_.executor().PostAfter(core_.options().metadata_age_max, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->closed_ || !self->failed_.ok()) return;
    self->core_.metadata().Refresh(self->topic_->id,
                                   [weak](const absl::StatusOr<TopicImagePtr>& image) {
                                     if (const auto found = weak.lock()) found->OnImage(image);
                                   });
    self->ScheduleRefresh();
  });
}

void FetchCore::OnImage(const absl::StatusOr<TopicImagePtr>& image) {
  if (ReasonOf(image.status()) == Reason::kUnknownTopicId) FailTopic(image.status());
  // Partitions never go; fewer of them is an older answer.
  if (!image.ok() || (*image)->partitions.size() < topic_->partitions.size()) return;
  const bool has_grown = (*image)->partitions.size() > topic_->partitions.size();
  topic_ = *image;
  if (!has_grown) return;
  partition_count_.store(static_cast<int32_t>(topic_->partitions.size()),
                         std::memory_order_release);
  if (options_.on_partitions_added && !closed_) options_.on_partitions_added(partition_count());
}

void FetchCore::FailTopic(const absl::Status& why) {
  if (!failed_.ok()) return;
  failed_ = why;
  for (auto& [id, partition] : partitions_) {
    Unsubscribe(partition);
    if (!partition.has_stopped) Stop(id, partition, why);
  }
  if (options_.on_topic_deleted && !closed_) options_.on_topic_deleted(why);
}

}  // namespace talosmq::client
