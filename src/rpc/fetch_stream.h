#pragma once

#include "base/mutex.h"
#include "broker/messages.h"
#include "rpc/bidi_stream.h"
#include "rpc/call_environment.h"
#include "rpc/fetch_codec.h"
#include "talosmq/v1/message.pb.h"

#include "absl/container/flat_hash_map.h"

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace talosmq::rpc {

/// A client's Fetch stream: for each subscription one fetch after another, as long as the client's
/// credit lasts.
///
/// A subscription is asked without waiting while its log is known to hold more (phase kBehind),
/// and with a wait once it has reached the end (kAtEnd). Those that can be asked stand in one
/// queue, so every partition gets its turn. Its first answer is always sent, even an empty one: it
/// tells the client where the log ends.
///
/// Invariants:
/// 1. At most one fetch of a subscription is under way; its answers are sent in order.
/// 2. What is read or being read and not yet sent stays within kFetchAheadBytesMax, one fetch more
///    at most. An answer that finds no room or no credit is thrown away and asked for again.
/// 3. Credit is spent by what is sent; the last chunk may go below zero, since batches go out
/// whole.
/// 4. An error ends its subscription and nothing else; kOverloaded is one of them: the listener had
///    no room for the subscription, or for the records it was about to read.
/// 5. What waits to be sent holds its share of the listener's budget, but for
///    kUncoveredRefusalsMax refused subscriptions.
/// Thread-safe; see BidiStream for its life.
class FetchStream final : public BidiStream {
 public:
  FetchStream(grpc::CallbackServerContext& context, CallEnvironment environment)
      : BidiStream(context, environment.registry), environment_(std::move(environment)) {}

 private:
  enum class Phase { kBehind, kAtEnd };

  struct Subscription;
  using SubscriptionRef = std::shared_ptr<Subscription>;
  struct Subscription {
    uint64_t id = 0;
    TopicPartition source;
    LeaderEpoch known_epoch = kNoEpoch;
    ListenerBudget::Share share;  ///< For the subscription itself, then for its last answer.
    // Guarded by the stream's mutex.
    Offset next_offset;
    Phase phase = Phase::kBehind;
    bool is_announced = false;  ///< Its first answer was queued.
    bool is_ended = false;      ///< Is not asked again.
    bool is_unwanted = false;   ///< Unsubscribed: not even what is queued is sent.
    bool is_fetching = false;
    bool wants_cancel = false;  ///< Ended before the ticket of its fetch was known.
    int64_t reserved_bytes = 0;
    ListenerBudget::Share reserved;  ///< Of the listener, for the same bytes.
    broker::FetchTicket ticket{};
    std::optional<std::list<SubscriptionRef>::iterator> ready;  ///< Its place in ready_.
  };

  /// An answer that waits to be sent.
  struct Chunk {
    SubscriptionRef subscription;  ///< Null: refused at once.
    FetchReply reply;
    int64_t bytes = 0;
  };

  absl::Status OnMessage(grpc::ByteBuffer message) override;
  void OnEnding() override;
  void Work() override;
  bool HasRoomToRead() override;
  std::optional<OutgoingMessage> TakeMessage() override;
  bool IsQuiet() override;

  absl::Status Subscribe(const v1::Subscription& wanted);
  void Unsubscribe(const google::protobuf::RepeatedField<uint64_t>& ids);
  /// Adds its fetch to `waiting` when that is to be given up.
  void EndLocked(Subscription& subscription, std::vector<broker::NamedFetch>& waiting)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeNextFetch(SubscriptionRef& subscription, broker::FetchRequest& request);
  /// False, with the subscription refused, when the listener has no room for what it reserves.
  bool Reserve(const SubscriptionRef& subscription);
  void OnFetched(const SubscriptionRef& subscription, broker::FetchOutcome outcome);
  /// `share` holds the bytes of the outcome; empty: there was no room for them.
  void OnRecordsLocked(const SubscriptionRef& subscription, broker::FetchOutcome outcome,
                       ListenerBudget::Share& share) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeReadyLocked(const SubscriptionRef& subscription) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void QueueLocked(const SubscriptionRef& subscription, broker::FetchOutcome outcome,
                   ListenerBudget::Share share) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// `share` is for the refusal; without one, kOverloaded when too many wait without it already.
  absl::Status RefuseLocked(const v1::Subscription& wanted, const absl::Status& status,
                            absl::StatusOr<ListenerBudget::Share> share)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FailLocked(const SubscriptionRef& subscription, broker::FetchOutcome outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasCreditLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CallEnvironment environment_;

  base::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t credit_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t reserved_bytes_ ABSL_GUARDED_BY(mutex_) = 0;      ///< Asked for in phase kBehind.
  int64_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;        ///< In queue_.
  int64_t uncovered_refusals_ ABSL_GUARDED_BY(mutex_) = 0;  ///< In queue_, without a share.
  absl::flat_hash_map<uint64_t, SubscriptionRef> subscriptions_ ABSL_GUARDED_BY(mutex_);
  std::list<SubscriptionRef> ready_ ABSL_GUARDED_BY(mutex_);  ///< To be asked, in turn.
  std::deque<Chunk> queue_ ABSL_GUARDED_BY(mutex_);           ///< To be sent, in order.
};

}  // namespace talosmq::rpc
