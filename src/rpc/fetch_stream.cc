#include "rpc/fetch_stream.h"

#include "base/status.h"
#include "base/text.h"
#include "rpc/limits.h"
#include "rpc/wire.h"

#include <algorithm>
#include <utility>

namespace talosmq::rpc {
namespace {

std::string Name(uint64_t subscription_id) {
  return base::StrCat("subscription ", subscription_id);
}

}  // namespace

absl::Status FetchStream::OnMessage(grpc::ByteBuffer message) {
  v1::FetchRequest request;
  TALOSMQ_RETURN_IF_ERROR(ParseInto(message, request, "FetchRequest"));
  // Those that are refused count as well: each has an answer that waits.
  if (request.subscribe_size() > static_cast<int>(kSubscriptionsMax)) {
    return MakeError(Reason::kOverloaded,
                     base::StrCat("a FetchRequest with ", request.subscribe_size(),
                                  " subscriptions; a stream has at most ", kSubscriptionsMax));
  }
  Unsubscribe(request.unsubscribe());
  for (const v1::Subscription& wanted : request.subscribe()) {
    TALOSMQ_RETURN_IF_ERROR(Subscribe(wanted));
  }
  const auto more = static_cast<int64_t>(
      std::min(request.credit_bytes(), static_cast<uint64_t>(kCreditBytesMax)));
  const base::MutexLock lock(mutex_);
  credit_bytes_ = std::min(credit_bytes_ + more, kCreditBytesMax);
  return absl::OkStatus();
}

absl::Status FetchStream::Subscribe(const v1::Subscription& wanted) {
  const uint64_t id = wanted.subscription_id();
  const absl::StatusOr<TopicPartition> source = ParseTarget(wanted.topic_id(), wanted.partition());
  auto share = environment_.connection.Take({.entries = 1, .bytes = kEntryBytes});
  const base::MutexLock lock(mutex_);
  if (ending_) return absl::OkStatus();
  if (subscriptions_.contains(id)) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat(Name(id), " exists already; each takes a new number"));
  }
  if (subscriptions_.size() >= kSubscriptionsMax) {
    return MakeError(
        Reason::kOverloaded,
        base::StrCat(Name(id), " is one too many: a stream has at most ", kSubscriptionsMax));
  }
  if (!source.ok() || !share.ok()) {
    const absl::Status refusal = source.ok() ? share.status() : source.status();
    return RefuseLocked(wanted, refusal, std::move(share));
  }
  auto subscription = std::make_shared<Subscription>();
  subscription->id = id;
  subscription->source = *source;
  subscription->known_epoch = KnownEpoch(wanted.known_leader_epoch_plus_one());
  subscription->share = *std::move(share);
  subscription->next_offset = Offset(wanted.offset());
  subscriptions_.emplace(id, subscription);
  MakeReadyLocked(subscription);
  return absl::OkStatus();
}

absl::Status FetchStream::RefuseLocked(const v1::Subscription& wanted, const absl::Status& status,
                                       absl::StatusOr<ListenerBudget::Share> share) {
  if (!share.ok()) {
    if (uncovered_refusals_ >= kUncoveredRefusalsMax) return share.status();
    ++uncovered_refusals_;
  }
  FetchReply refusal{.subscription_id = wanted.subscription_id(),
                     .topic_id = wanted.topic_id().substr(0, sizeof(TopicId)),
                     .partition = wanted.partition(),
                     .outcome = {},
                     .share = {}};
  refusal.outcome.status = status;
  if (share.ok()) refusal.share = *std::move(share);
  queue_.push_back(Chunk{.subscription = nullptr, .reply = std::move(refusal)});
  return absl::OkStatus();
}

void FetchStream::Unsubscribe(const google::protobuf::RepeatedField<uint64_t>& ids) {
  std::vector<broker::NamedFetch> waiting;
  {
    const base::MutexLock lock(mutex_);
    for (const uint64_t id : ids) {
      const auto found = subscriptions_.find(id);
      if (found == subscriptions_.end()) continue;
      const SubscriptionRef subscription = std::move(found->second);
      subscriptions_.erase(found);
      subscription->is_unwanted = true;
      if (subscription->ready.has_value()) ready_.erase(*subscription->ready);
      EndLocked(*subscription, waiting);
    }
  }
  environment_.messages.CancelFetches(waiting);
}

void FetchStream::EndLocked(Subscription& subscription, std::vector<broker::NamedFetch>& waiting) {
  subscription.is_ended = true;
  if (!subscription.is_fetching) return;
  subscription.wants_cancel = true;
  if (subscription.ticket != broker::FetchTicket{}) {
    waiting.push_back({subscription.source, subscription.ticket});
  }
}

void FetchStream::OnEnding() {
  std::vector<broker::NamedFetch> waiting;
  std::deque<Chunk> unsent;  // Gives its shares back after the lock.
  {
    const base::MutexLock lock(mutex_);
    ending_ = true;
    for (const auto& [id, subscription] : subscriptions_) EndLocked(*subscription, waiting);
    subscriptions_.clear();
    ready_.clear();
    unsent.swap(queue_);
    queued_bytes_ = 0;
    uncovered_refusals_ = 0;
  }
  environment_.messages.CancelFetches(waiting);
}

void FetchStream::Work() {
  SubscriptionRef subscription;
  broker::FetchRequest request;
  while (TakeNextFetch(subscription, request)) {
    if (!Reserve(subscription)) continue;
    const auto self = std::static_pointer_cast<FetchStream>(shared_from_this());
    const broker::FetchTicket ticket = environment_.messages.Fetch(
        request,
        [self, subscription](auto outcome) { self->OnFetched(subscription, std::move(outcome)); });
    bool is_unwanted = false;
    {
      const base::MutexLock lock(mutex_);
      if (!subscription->is_fetching) continue;  // Answered inside the call.
      subscription->ticket = ticket;
      is_unwanted = subscription->wants_cancel;
    }
    if (is_unwanted) environment_.messages.CancelFetches({{request.source, ticket}});
  }
}

bool FetchStream::HasCreditLocked() const { return credit_bytes_ - queued_bytes_ > 0; }

bool FetchStream::TakeNextFetch(SubscriptionRef& subscription, broker::FetchRequest& request) {
  const base::MutexLock lock(mutex_);
  if (ready_.empty()) return false;
  const int64_t credit = credit_bytes_ - queued_bytes_ - reserved_bytes_;
  const int64_t room = kFetchAheadBytesMax - queued_bytes_ - reserved_bytes_;
  if (credit <= 0 || room <= 0) return false;
  subscription = std::move(ready_.front());
  ready_.pop_front();
  subscription->ready.reset();
  const bool is_behind = subscription->phase == Phase::kBehind;
  request = {.source = subscription->source,
             .known_epoch = subscription->known_epoch,
             .offset = subscription->next_offset,
             .bytes_max = std::min(credit, kFetchBytesMax),
             .wait_until = is_behind ? absl::ZeroDuration()
                                     : environment_.clock.Monotonic() + kStreamFetchWait};
  subscription->is_fetching = true;
  subscription->wants_cancel = false;
  subscription->ticket = {};
  // A fetch that waits may wait for hours; it holds nothing back from the others.
  subscription->reserved_bytes = is_behind ? request.bytes_max : 0;
  reserved_bytes_ += subscription->reserved_bytes;
  return true;
}

bool FetchStream::Reserve(const SubscriptionRef& subscription) {
  int64_t bytes = 0;
  {
    const base::MutexLock lock(mutex_);
    bytes = subscription->reserved_bytes;
  }
  if (bytes == 0) return true;
  auto share = environment_.connection.Take({.entries = 1, .bytes = bytes});
  const base::MutexLock lock(mutex_);
  if (share.ok()) {
    subscription->reserved = *std::move(share);
    return true;
  }
  subscription->is_fetching = false;
  reserved_bytes_ -= std::exchange(subscription->reserved_bytes, 0);
  if (subscription->is_ended) return false;
  broker::FetchOutcome refusal;
  refusal.status = share.status();
  refusal.next_offset = subscription->next_offset;
  FailLocked(subscription, std::move(refusal));
  return false;
}

void FetchStream::OnFetched(const SubscriptionRef& subscription, broker::FetchOutcome outcome) {
  const Load load{.entries = 1, .bytes = RecordBytes(outcome)};
  ListenerBudget::Share share;
  bool was_reserved = false;
  {
    const base::MutexLock lock(mutex_);
    was_reserved = subscription->reserved_bytes > 0;
    share = std::move(subscription->reserved);
  }
  if (was_reserved) {
    share.Settle(load);
  } else if (load.bytes > 0) {
    // What waited comes from memory; without room it is read again, with a reservation.
    auto taken = environment_.connection.Take(load);
    if (taken.ok()) share = *std::move(taken);
  }
  {
    const base::MutexLock lock(mutex_);
    subscription->is_fetching = false;
    reserved_bytes_ -= std::exchange(subscription->reserved_bytes, 0);
    if (!subscription->is_ended) {
      if (outcome.status.ok()) {
        OnRecordsLocked(subscription, std::move(outcome), share);
      } else {
        FailLocked(subscription, std::move(outcome));
      }
    }
  }
  Advance();
}

void FetchStream::OnRecordsLocked(const SubscriptionRef& subscription, broker::FetchOutcome outcome,
                                  ListenerBudget::Share& share) {
  const int64_t bytes = RecordBytes(outcome);
  const bool has_room =
      !share.is_empty() && HasCreditLocked() && queued_bytes_ < kFetchAheadBytesMax;
  MakeReadyLocked(subscription);
  if (bytes > 0 && !has_room) {
    subscription->phase = Phase::kBehind;
    return;
  }
  const bool has_more = bytes > 0 && outcome.next_offset < outcome.high_watermark;
  subscription->phase = has_more ? Phase::kBehind : Phase::kAtEnd;
  // Also without records: past damage that readers are to pass over.
  const bool has_moved = outcome.next_offset > subscription->next_offset;
  subscription->next_offset = outcome.next_offset;
  if (has_moved || !subscription->is_announced) {
    QueueLocked(subscription, std::move(outcome), std::move(share));
  }
}

void FetchStream::MakeReadyLocked(const SubscriptionRef& subscription) {
  subscription->ready = ready_.insert(ready_.end(), subscription);
}

void FetchStream::QueueLocked(const SubscriptionRef& subscription, broker::FetchOutcome outcome,
                              ListenerBudget::Share share) {
  const int64_t bytes = RecordBytes(outcome);
  subscription->is_announced = true;
  queued_bytes_ += bytes;
  queue_.push_back(Chunk{.subscription = subscription,
                         .reply = {.subscription_id = subscription->id,
                                   .topic_id = std::string(subscription->source.topic_id.bytes()),
                                   .partition = subscription->source.partition.value(),
                                   .outcome = std::move(outcome),
                                   .share = std::move(share)},
                         .bytes = bytes});
}

void FetchStream::FailLocked(const SubscriptionRef& subscription, broker::FetchOutcome outcome) {
  subscription->is_ended = true;
  subscriptions_.erase(subscription->id);
  outcome.chunks.clear();
  QueueLocked(subscription, std::move(outcome), std::move(subscription->share));
}

bool FetchStream::HasRoomToRead() {
  const base::MutexLock lock(mutex_);
  return queue_.size() < kSubscriptionsMax && uncovered_refusals_ == 0;
}

bool FetchStream::IsQuiet() {
  const base::MutexLock lock(mutex_);
  return queue_.empty() && (subscriptions_.empty() || credit_bytes_ <= 0);
}

std::optional<OutgoingMessage> FetchStream::TakeMessage() {
  std::vector<FetchReply> replies;
  std::vector<Chunk> unwanted;  // Gives its shares back after the lock.
  {
    const base::MutexLock lock(mutex_);
    int64_t bytes = 0;
    while (!queue_.empty() && (replies.empty() || bytes + queue_.front().bytes <= kFetchBytesMax)) {
      Chunk chunk = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= chunk.bytes;
      if (chunk.subscription == nullptr && chunk.reply.share.is_empty()) --uncovered_refusals_;
      if (chunk.subscription != nullptr && chunk.subscription->is_unwanted) {
        unwanted.push_back(std::move(chunk));
        continue;
      }
      bytes += chunk.bytes;
      replies.push_back(std::move(chunk.reply));
    }
    credit_bytes_ -= bytes;
  }
  if (replies.empty()) return std::nullopt;
  return OutgoingMessage{.bytes = SerializeFetchResponse(std::move(replies))};
}

}  // namespace talosmq::rpc
