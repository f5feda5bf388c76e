#include "base/mutex.h"
#include "base/text.h"
#include "kafka/error_code.h"
#include "kafka/fetch_sessions.h"
#include "kafka/handlers.h"
#include "kafka/listener_limits.h"
#include "kafka/topic_lookup.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

using FetchPtr = ExchangePtr<FetchRequest, FetchResponse>;
using PartitionAnswer = FetchResponse::Topic::Partition;

constexpr int8_t kReadCommitted = 1;
constexpr int32_t kBytesMax = 64 << 20;  // Of one answer.
constexpr absl::Duration kWaitMax = absl::Minutes(5);

/// A fetch of several partitions: reads them one after another, so that the bound of the whole is
/// kept; when that brings too little, waits at all of them at once and reads again when one has
/// something, until there is enough or the time is over.
///
/// Lives until its answer is out. One read is under way at a time and goes on where its answer
/// comes; the waits end on several threads.
class FetchCall : public std::enable_shared_from_this<FetchCall> {
 public:
  FetchCall(const Services& services, FetchPtr exchange, FetchPlan plan)
      : services_(services),
        exchange_(std::move(exchange)),
        plan_(std::move(plan)),
        bytes_max_(std::clamp(exchange_->request.max_bytes, 1, kBytesMax)),
        until_(services.clock.Monotonic() +
               std::clamp<absl::Duration>(absl::Milliseconds(exchange_->request.max_wait_ms),
                                          absl::ZeroDuration(), kWaitMax)) {}

  void Begin() {
    Prepare();
    ReadAll();
  }

 private:
  struct Place {
    PartitionAnswer* answer;
    broker::FetchRequest fetch;
    int64_t bytes_max = 0;
    LeaderEpoch last_epoch;  ///< Under which the client has read what is before; kNoEpoch: none.
    Offset next = {};        ///< Behind what has been read.
    broker::FetchTicket ticket = {};
  };
  /// Whether the answer of a read comes while Read() looks on; if not, it goes on with Read().
  enum class Step { kAsked, kAnswered, kLeft };

  void Prepare();
  void PrepareAnswers();
  void Prepare(const metadata::ClusterImage& image, const FetchedPartition& fetched,
               PartitionAnswer& answer);
  /// Reads all partitions, one after another.
  void ReadAll();
  void Read();
  /// How much of a partition may be read, for which the room is taken; 0: there is none.
  int64_t FindRoom(const Place& place);
  /// Nobody takes what more is read. Who has ended its sending as well looks gone; it is told at
  /// least what was there at first.
  bool IsUnwanted() const;
  /// Tells where the log of a partition that the answer has no room for begins and ends.
  void AskForEnds(const Place& place, base::Callback<broker::FetchOutcome> done);
  /// Reads, unless the client has read other records than these before.
  void Ask(Place& place, base::Callback<broker::FetchOutcome> done);
  void OnHistory(Place& place, const broker::HistoryOutcome& history,
                 base::Callback<broker::FetchOutcome> done);
  /// Reads if there is room.
  void Fetch(const Place& place, base::Callback<broker::FetchOutcome> done);
  void OnRead(Place& place, broker::FetchOutcome outcome);
  void OnAllRead();
  void WaitAtAll();
  void OnNews();
  /// Runs `give_up` when nobody waits for the answer any more, until another one takes its place.
  void WhenUnwanted(void (FetchCall::*give_up)());
  /// Ends the wait for a log that is being opened; a read goes on.
  void GiveUpOpening();
  std::vector<broker::NamedFetch> WaitingLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// With the last of the waits: reads again.
  void WaitDone();

  const Services services_;
  const FetchPtr exchange_;
  const FetchPlan plan_;
  const int64_t bytes_max_;
  const absl::Duration until_;
  std::vector<Place> places_;  ///< Of the partitions that can be read.
  bool has_waited_ = false;
  bool has_error_ = false;
  bool is_full_ = false;  ///< A partition has more than the bounds of the answer allow.
  int64_t bytes_ = 0;
  size_t reading_ = 0;  ///< The index in places_.
  std::atomic<Step> step_ = Step::kAsked;
  base::Mutex mutex_;
  size_t waits_ ABSL_GUARDED_BY(mutex_) = 0;
  bool has_news_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<broker::NamedFetch> asked_ ABSL_GUARDED_BY(mutex_);  ///< What is read, or was last.
};

void FetchCall::Prepare() {
  PrepareAnswers();
  const auto image = services_.topics.image();
  size_t place = 0;
  for (auto& topic : exchange_->response.topics) {
    for (PartitionAnswer& answer : topic.partitions) {
      Prepare(*image, plan_.partitions[place++], answer);
    }
  }
}

void FetchCall::PrepareAnswers() {
  auto& topics = exchange_->response.topics;
  for (const FetchedPartition& fetched : plan_.partitions) {
    if (topics.empty() || topics.back().name != *fetched.topic) {
      topics.emplace_back().name = *fetched.topic;
    }
    topics.back().partitions.emplace_back().partition = fetched.asked.partition;
  }
}

void FetchCall::Prepare(const metadata::ClusterImage& image, const FetchedPartition& fetched,
                        PartitionAnswer& answer) {
  answer.high_watermark = -1;
  answer.records.emplace();
  if (exchange_->request.isolation_level == kReadCommitted) answer.aborted_transactions.emplace();
  const auto source = FindPartition(image, *fetched.topic, fetched.asked.partition);
  answer.error_code = WireErrorOf(source.status());
  if (!source.ok()) {
    has_error_ = true;
    return;
  }
  places_.push_back({.answer = &answer,
                     .fetch = {.source = *source,
                               .known_epoch = LeaderEpoch(fetched.asked.current_leader_epoch),
                               .offset = Offset(fetched.asked.fetch_offset)},
                     .bytes_max = fetched.asked.partition_max_bytes,
                     .last_epoch = LeaderEpoch(fetched.asked.last_fetched_epoch),
                     .next = Offset(fetched.asked.fetch_offset)});
}

void FetchCall::ReadAll() {
  reading_ = 0;
  bytes_ = 0;
  is_full_ = false;
  WhenUnwanted(&FetchCall::GiveUpOpening);
  Read();
}

int64_t FetchCall::FindRoom(const Place& place) {
  const int64_t wanted = std::clamp<int64_t>(place.bytes_max, 1, bytes_max_ - bytes_);
  return exchange_->caller().answer_memory->Reserve(bytes_ + wanted) - bytes_;
}

bool FetchCall::IsUnwanted() const {
  return plan_.is_overtaken() || (has_waited_ && exchange_->caller().cancellation->is_cancelled());
}

void FetchCall::Read() {
  for (; reading_ < places_.size() && !IsUnwanted(); ++reading_) {
    Place& place = places_[reading_];
    // A batch comes whole, whatever its size, so the last one may exceed the bound.
    const bool is_passed_over = bytes_ >= bytes_max_;
    if (is_passed_over && plan_.kind == FetchPlan::Kind::kIncremental) {
      is_full_ = true;
      place.answer->records.emplace();
      continue;
    }
    step_ = Step::kAsked;
    auto done = [self = shared_from_this(), &place](broker::FetchOutcome outcome) {
      self->OnRead(place, std::move(outcome));
      if (self->step_.exchange(Step::kAnswered) == Step::kLeft) {
        ++self->reading_;
        self->Read();
      }
    };
    is_passed_over ? AskForEnds(place, std::move(done)) : Ask(place, std::move(done));
    if (step_.exchange(Step::kLeft) != Step::kAnswered) return;
  }
  OnAllRead();
}

void FetchCall::AskForEnds(const Place& place, base::Callback<broker::FetchOutcome> done) {
  is_full_ = true;
  services_.messages.FindHistory(
      {.source = place.fetch.source, .epoch = kNoEpoch, .known_epoch = place.fetch.known_epoch},
      [offset = place.fetch.offset,
       done = std::move(done)](const broker::HistoryOutcome& history) mutable {
        broker::FetchOutcome ends;
        ends.status = history.status;
        ends.next_offset = offset;
        ends.log_start = history.log_start;
        ends.high_watermark = history.high_watermark;
        done(std::move(ends));
      });
}

void FetchCall::Ask(Place& place, base::Callback<broker::FetchOutcome> done) {
  if (place.last_epoch < LeaderEpoch(0)) return Fetch(place, std::move(done));
  services_.messages.FindHistory({.source = place.fetch.source,
                                  .epoch = place.last_epoch,
                                  .known_epoch = place.fetch.known_epoch},
                                 [self = shared_from_this(), &place, done = std::move(done)](
                                     const broker::HistoryOutcome& history) mutable {
                                   self->OnHistory(place, history, std::move(done));
                                 });
}

void FetchCall::OnHistory(Place& place, const broker::HistoryOutcome& history,
                          base::Callback<broker::FetchOutcome> done) {
  broker::FetchOutcome refusal;
  refusal.status = history.status;
  refusal.next_offset = place.fetch.offset;
  if (!history.status.ok()) return done(std::move(refusal));
  if (!history.last_epoch) {
    refusal.status = MakeError(Reason::kOffsetOutOfRange,
                               base::StrCat("no epoch up to ", place.last_epoch.value()));
    return done(std::move(refusal));
  }
  const auto [epoch, end] = *history.last_epoch;
  const bool has_parted = epoch < place.last_epoch || end < place.fetch.offset;
  if (has_parted && place.fetch.offset >= history.log_start) {
    place.answer->diverging_epoch = {.epoch = epoch.value(), .end_offset = end.value()};
    has_error_ = true;
    refusal.log_start = history.log_start;
    refusal.high_watermark = history.high_watermark;
    return done(std::move(refusal));
  }
  Fetch(place, std::move(done));
}

void FetchCall::Fetch(const Place& place, base::Callback<broker::FetchOutcome> done) {
  broker::FetchRequest fetch = place.fetch;
  fetch.bytes_max = FindRoom(place);
  if (fetch.bytes_max == 0) return AskForEnds(place, std::move(done));
  const broker::FetchTicket ticket = services_.messages.Fetch(std::move(fetch), std::move(done));
  {
    const base::MutexLock lock(mutex_);
    asked_ = {.source = place.fetch.source, .ticket = ticket};
  }
  if (plan_.is_overtaken() || exchange_->caller().cancellation->is_cancelled()) GiveUpOpening();
}

void FetchCall::OnRead(Place& place, broker::FetchOutcome outcome) {
  PartitionAnswer& answer = *place.answer;
  AnswerMemory& memory = *exchange_->caller().answer_memory;
  answer.error_code = WireErrorOf(outcome.status);
  answer.records.emplace();
  if (!outcome.status.ok()) {
    has_error_ = true;
    return memory.Settle(bytes_);
  }
  answer.high_watermark = outcome.high_watermark.value();
  answer.last_stable_offset = outcome.high_watermark.value();
  answer.log_start_offset = outcome.log_start.value();
  Records records(std::move(outcome.chunks));
  const int64_t bytes = bytes_ + static_cast<int64_t>(records.bytes());
  if (!memory.TrySettle(bytes)) {
    // Its first batch is larger than the room for it, and others have more than theirs already.
    is_full_ = true;
    return memory.Settle(bytes_);
  }
  if (outcome.next_offset < outcome.high_watermark) is_full_ = true;
  place.next = outcome.next_offset;
  answer.records = std::move(records);
  bytes_ = bytes;
}

void FetchCall::OnAllRead() {
  // When the answer is full, a wait would bring nothing, and be over at once.
  const bool is_enough = has_error_ || is_full_ || bytes_ >= exchange_->request.min_bytes ||
                         plan_.is_overtaken() || exchange_->caller().cancellation->is_cancelled();
  if (is_enough || places_.empty() || services_.clock.Monotonic() >= until_) {
    return services_.fetch_sessions.Finish(plan_, exchange_->response);
  }
  WaitAtAll();
}

void FetchCall::WaitAtAll() {
  // What is read so far is read again: a wait holds no memory that others need.
  for (const Place& place : places_) place.answer->records.emplace();
  has_waited_ = true;
  exchange_->caller().answer_memory->Settle(0);
  {
    const base::MutexLock lock(mutex_);
    waits_ = places_.size() + 1;
    has_news_ = false;
  }
  std::vector<broker::FetchRequest> fetches;
  for (const Place& place : places_) {
    fetches.push_back({.source = place.fetch.source,
                       .known_epoch = place.fetch.known_epoch,
                       .offset = place.next,
                       .bytes_max = 1,
                       .wait_until = until_});
  }
  const std::vector<broker::FetchTicket> tickets = services_.messages.FetchAll(
      std::move(fetches), [self = shared_from_this()](size_t /*index*/, const auto& /*news*/) {
        self->OnNews();
        self->WaitDone();
      });
  std::vector<broker::NamedFetch> unwanted;
  {
    const base::MutexLock lock(mutex_);
    for (size_t i = 0; i < tickets.size(); ++i) places_[i].ticket = tickets[i];
    if (has_news_) unwanted = WaitingLocked();
  }
  services_.messages.CancelFetches(unwanted);
  WhenUnwanted(&FetchCall::OnNews);
  WaitDone();
}

void FetchCall::WhenUnwanted(void (FetchCall::*give_up)()) {
  const auto listener = [weak = weak_from_this(), give_up] {
    if (const auto self = weak.lock()) (self.get()->*give_up)();
  };
  exchange_->caller().cancellation->SetListener(listener);
  if (plan_.overtaking != nullptr) plan_.overtaking->SetListener(listener);
}

void FetchCall::GiveUpOpening() {
  std::vector<broker::NamedFetch> asked;
  {
    const base::MutexLock lock(mutex_);
    if (asked_) asked.push_back(*asked_);
  }
  services_.messages.CancelFetches(asked);
}

void FetchCall::OnNews() {
  std::vector<broker::NamedFetch> others;
  {
    const base::MutexLock lock(mutex_);
    if (std::exchange(has_news_, true)) return;
    others = WaitingLocked();
  }
  services_.messages.CancelFetches(others);
}

std::vector<broker::NamedFetch> FetchCall::WaitingLocked() const {
  std::vector<broker::NamedFetch> waiting;
  for (const Place& place : places_) waiting.push_back({place.fetch.source, place.ticket});
  return waiting;
}

void FetchCall::WaitDone() {
  {
    const base::MutexLock lock(mutex_);
    if (--waits_ > 0) return;
  }
  ReadAll();
}

}  // namespace

void Handle(const Services& services, FetchPtr exchange) {
  FetchPlan plan = services.fetch_sessions.Begin(exchange->request);
  if (plan.error != ErrorCode::kNone) {
    exchange->response.error_code = Wire(plan.error);
    return;
  }
  std::make_shared<FetchCall>(services, std::move(exchange), std::move(plan))->Begin();
}

}  // namespace talosmq::kafka
