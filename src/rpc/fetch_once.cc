#include "rpc/fetch_once.h"

#include "base/status.h"
#include "base/text.h"
#include "rpc/error_status.h"
#include "rpc/limits.h"
#include "rpc/wire.h"

#include <algorithm>
#include <utility>

namespace talosmq::rpc {

void FetchOnceCall::Begin(const grpc::ByteBuffer& request) {
  self_ = shared_from_this();
  const absl::Status status = Parse(request);
  if (!status.ok()) {
    Finish(EndOfCall(context_, status));
    return;
  }
  if (!environment_.registry.Add(self_)) EndWait();
  Continue();
}

absl::Status FetchOnceCall::Parse(const grpc::ByteBuffer& bytes) {
  v1::FetchOnceRequest request;
  grpc::ByteBuffer copy(bytes);
  TALOSMQ_RETURN_IF_ERROR(ParseInto(copy, request, "FetchOnceRequest"));
  if (request.partitions_size() == 0 || request.partitions_size() > kPartitionsPerMessageMax) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("a FetchOnce names 1 to ", kPartitionsPerMessageMax,
                                  " partitions, this one ", request.partitions_size()));
  }
  TALOSMQ_RETURN_IF_ERROR(CheckDistinct(request.partitions()));
  TALOSMQ_ASSIGN_OR_RETURN(
      share_, environment_.connection.Take({.entries = request.partitions_size(),
                                            .bytes = request.partitions_size() * kEntryBytes}));
  bytes_max_ = request.bytes_max() == 0
                   ? kFetchOnceBytesDefault
                   : std::min(int64_t{request.bytes_max()}, kFetchOnceBytesMax);
  wait_ = std::min(absl::Milliseconds(request.wait_ms()), kFetchOnceWaitMax);
  const base::MutexLock lock(mutex_);
  for (const v1::Subscription& wanted : request.partitions()) {
    Entry entry{.reply = {.subscription_id = wanted.subscription_id(),
                          .topic_id = wanted.topic_id().substr(0, sizeof(TopicId)),
                          .partition = wanted.partition(),
                          .outcome = {},
                          .share = {}},
                .source = ParseTarget(wanted.topic_id(), wanted.partition()),
                .known_epoch = KnownEpoch(wanted.known_leader_epoch_plus_one()),
                .offset = Offset(wanted.offset())};
    entry.reply.outcome.status = entry.source.status();
    has_answer_ = has_answer_ || !entry.source.ok();
    entries_.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

void FetchOnceCall::Continue() {
  {
    const base::MutexLock lock(mutex_);
    if (stepping_) {
      step_again_ = true;
      return;
    }
    stepping_ = true;
  }
  // After Finish gRPC may let go of the call on another thread.
  const auto self = shared_from_this();
  for (;;) {
    Step();
    const base::MutexLock lock(mutex_);
    if (!step_again_) {
      stepping_ = false;
      return;
    }
    step_again_ = false;
  }
}

void FetchOnceCall::Step() {
  bool is_asking = false;
  bool has_to_wait = false;
  {
    const base::MutexLock lock(mutex_);
    if (open_ > 0 || stage_ == Stage::kDone) return;
    while (asked_ < entries_.size() && !entries_[asked_].source.ok()) ++asked_;
    is_asking = asked_ < entries_.size();
    has_to_wait =
        stage_ == Stage::kAsking && !has_answer_ && !wait_over_ && wait_ > absl::ZeroDuration();
    if (!is_asking) stage_ = has_to_wait ? Stage::kWaiting : Stage::kDone;
  }
  if (is_asking) {
    AskNext();
  } else if (has_to_wait) {
    BeginWait();
  } else {
    Reply();
  }
}

void FetchOnceCall::AskNext() {
  size_t index = 0;
  broker::FetchRequest request;
  {
    const base::MutexLock lock(mutex_);
    index = asked_++;
    Entry& entry = entries_[index];
    entry.is_open = true;
    ++open_;
    request = {.source = *entry.source,
               .known_epoch = entry.known_epoch,
               .offset = entry.offset,
               .bytes_max = std::min(bytes_max_ - bytes_, kFetchBytesMax),
               .wait_until = absl::ZeroDuration()};
  }
  if (request.bytes_max > 0) {
    environment_.messages.Fetch(request, [self = shared_from_this(), index](auto outcome) {
      self->OnAnswer(index, std::move(outcome));
    });
  } else {
    AskForEnd(
        index,
        {.source = request.source, .known_epoch = request.known_epoch, .spec = broker::FromEnd()});
  }
}

void FetchOnceCall::AskForEnd(size_t index, const broker::OffsetQuery& query) {
  environment_.messages.FindOffset(query, [self = shared_from_this(), index](const auto& end) {
    broker::FetchOutcome outcome;
    outcome.status = end.status;
    outcome.log_start = end.log_start;
    outcome.high_watermark = end.high_watermark;
    outcome.epoch = end.epoch;
    {
      const base::MutexLock lock(self->mutex_);
      outcome.next_offset = self->entries_[index].offset;
    }
    self->OnAnswer(index, std::move(outcome));
  });
}

void FetchOnceCall::BeginWait() {
  std::vector<broker::FetchRequest> requests;
  {
    const base::MutexLock lock(mutex_);
    for (Entry& entry : entries_) {
      requests.push_back({.source = *entry.source,
                          .known_epoch = entry.known_epoch,
                          .offset = entry.offset,
                          .bytes_max = std::min(bytes_max_, kFetchBytesMax),
                          .wait_until = environment_.clock.Monotonic() + wait_});
      entry.is_open = true;
    }
    open_ = entries_.size();
  }
  const std::vector<broker::FetchTicket> tickets = environment_.messages.FetchAll(
      std::move(requests), [self = shared_from_this()](size_t index, auto outcome) {
        self->OnAnswer(index, std::move(outcome));
      });
  std::vector<broker::NamedFetch> unwanted;
  {
    const base::MutexLock lock(mutex_);
    for (size_t index = 0; index < tickets.size(); ++index) {
      if (entries_[index].is_open) entries_[index].ticket = tickets[index];
    }
    if (wait_over_) unwanted = OpenLocked();
  }
  environment_.messages.CancelFetches(unwanted);
}

std::vector<broker::NamedFetch> FetchOnceCall::OpenLocked() const {
  std::vector<broker::NamedFetch> open;
  for (const Entry& entry : entries_) {
    if (entry.ticket != broker::FetchTicket{}) open.push_back({*entry.source, entry.ticket});
  }
  return open;
}

void FetchOnceCall::OnAnswer(size_t index, broker::FetchOutcome outcome) {
  bool is_enough = false;
  const int64_t read = RecordBytes(outcome);
  // Needs no room when nothing was read, and has to tell what became of it then, too.
  absl::StatusOr<ListenerBudget::Share> share;
  if (read > 0) share = environment_.connection.Take({.entries = 0, .bytes = read});
  {
    const base::MutexLock lock(mutex_);
    Entry& entry = entries_[index];
    if (read > 0 && !share.ok()) {
      outcome.status = share.status();
      outcome.next_offset = entry.offset;
      outcome.chunks.clear();
    }
    entry.is_open = false;
    entry.ticket = {};
    --open_;
    int64_t bytes = RecordBytes(outcome);
    if (bytes_ > 0 && bytes_ + bytes > bytes_max_) {
      outcome.chunks.clear();
      outcome.next_offset = entry.offset;
      bytes = 0;
    }
    // A wait that was given up leaves the answer as the first round had it.
    if (ReasonOf(outcome.status) != Reason::kCancelled) {
      bytes_ += bytes;
      entry.reply.outcome = std::move(outcome);
      if (bytes > 0) entry.reply.share = *std::move(share);
      is_enough = bytes > 0 || !entry.reply.outcome.status.ok();
      has_answer_ = has_answer_ || is_enough;
    }
  }
  if (is_enough) EndWait();
  Continue();
}

void FetchOnceCall::EndWait() {
  std::vector<broker::NamedFetch> open;
  {
    const base::MutexLock lock(mutex_);
    if (std::exchange(wait_over_, true) || stage_ != Stage::kWaiting) return;
    open = OpenLocked();
  }
  environment_.messages.CancelFetches(open);
}

void FetchOnceCall::Reply() {
  std::vector<FetchReply> replies;
  {
    const base::MutexLock lock(mutex_);
    for (Entry& entry : entries_) replies.push_back(std::move(entry.reply));
  }
  response_ = SerializeFetchResponse(std::move(replies));
  Finish(grpc::Status::OK);
}

void FetchOnceCall::OnDone() {
  environment_.registry.Remove(*this);
  self_.reset();
}

}  // namespace talosmq::rpc
