#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "broker/partition.h"
#include "storage/fence.h"
#include "talosmq/error.h"

#include <utility>

// The append path of Partition: checked, given offsets, parked, acknowledged.
namespace talosmq::broker {
namespace {

replication::AckScope ScopeOf(Acks acks) {
  switch (acks) {
    case Acks::kLeader:
      return replication::AckScope::kLeader;
    case Acks::kAll:
    case Acks::kNone:
      break;
  }
  return replication::AckScope::kInSync;
}

}  // namespace

void Partition::Append(std::unique_ptr<PendingAppend> append) {
  const absl::Status status = CheckAppend(*append);
  if (!status.ok()) return Refuse(*append, status);
  if (leader_.is_leading()) return Run(std::move(append));
  pending_.Push(std::move(append));
  PrepareToLead();
}

absl::Status Partition::CheckAppend(const PendingAppend& append) const {
  if (!closed_.ok()) return closed_;
  const PartitionOptions& options = dependencies_.options.partition;
  if (static_cast<int64_t>(pending_.size()) >= options.pending_appends_max) {
    return MakeError(Reason::kOverloaded,
                     base::StrCat("partition ", assignment_.name, ": ", pending_.size(),
                                  " appends wait for its log already"));
  }
  if (static_cast<int64_t>(parked_.size()) >= options.parked_acks_max) {
    return MakeError(Reason::kOverloaded,
                     base::StrCat("partition ", assignment_.name, ": ", parked_.size(),
                                  " appends wait to become durable already"));
  }
  TALOSMQ_RETURN_IF_ERROR(CheckEpoch(append.request.known_epoch));
  const absl::Status room = dependencies_.log_store.CheckRoom();
  if (room.ok()) return room;
  return base::Annotate(room, base::StrCat("partition ", assignment_.name));
}

void Partition::RunPending() {
  // A failing log takes the rest out of the queue and answers it.
  while (pending_.size() > 0 && leader_.is_leading()) Run(pending_.Pop());
}

void Partition::Run(std::unique_ptr<PendingAppend> append) {
  const absl::Duration now = dependencies_.clock.Monotonic();
  if (now >= append->request.deadline) return Refuse(*append, TooLate());
  storage::PartitionLog& log = *log_.open();
  const auto bytes = static_cast<int64_t>(append->request.batch.size());
  const absl::StatusOr<storage::AppendResult> result =
      log.Append(std::move(append->request.batch), append->facts);
  append->bytes.Release();
  if (!result.ok()) {
    Refuse(*append, result.status());
    if (storage::IsFenced(result.status())) log_.Fence(result.status());
    return;
  }
  dependencies_.metrics.ObserveQueueWait(now - append->arrival);
  if (!result->is_duplicate) {
    leader_.AppendedTo(log.log_end());
    dependencies_.metrics.CountAppend(append->facts.header.count, bytes);
  }
  append->outcome = {.status = absl::OkStatus(),
                     .base_offset = result->base_offset,
                     .last_offset = result->last_offset,
                     .epoch = epoch_,
                     .log_start = log.log_start(),
                     .log_append_time = append->log_append_time,
                     .is_duplicate = result->is_duplicate};
  // Also when no answer is wanted: until it is durable it counts against what its client may hold.
  Park(std::move(append));
}

void Partition::Park(std::unique_ptr<PendingAppend> append) {
  const replication::AckTag tag{++last_tag_};
  const Offset end = append->outcome.last_offset + 1;
  const replication::AckScope scope = ScopeOf(append->request.acks);
  parked_.emplace(tag, std::move(append));
  dependencies_.metrics.AddWaitingAppends(1);
  Handle(leader_.Park(tag, end, scope));
}

void Partition::Handle(const replication::LeaderOutput& output) {
  for (const replication::ReleasedAck& released : output.released) {
    const auto parked = parked_.find(released.tag);
    TALOSMQ_CHECK(parked != parked_.end()) << "tag " << static_cast<uint64_t>(released.tag);
    const std::unique_ptr<PendingAppend> append = std::move(parked->second);
    parked_.erase(parked);
    dependencies_.metrics.AddWaitingAppends(-1);
    if (released.status.ok()) {
      Acknowledge(*append);
    } else {
      Refuse(*append, released.status);
    }
  }
  if (!output.high_watermark.has_value()) return;
  for (WaitingFetch& fetch : fetches_.TakeBelow(*output.high_watermark)) {
    TryFetch(std::move(fetch));
  }
}

void Partition::FailPending(const absl::Status& status) {
  for (const auto& append : pending_.TakeAll()) Refuse(*append, status);
}

absl::Status Partition::TooLate() const {
  return MakeError(Reason::kDeadlineExceeded,
                   base::StrCat("partition ", assignment_.name,
                                ": the deadline passed before the append began"));
}

void Partition::Acknowledge(PendingAppend& append) {
  dependencies_.metrics.CountRequest(RequestKind::kProduce, absl::OkStatus());
  dependencies_.metrics.ObserveProduce(dependencies_.clock.Monotonic() - append.arrival);
  append.done(std::move(append.outcome));
}

void Partition::Refuse(PendingAppend& append, const absl::Status& status) {
  dependencies_.metrics.CountRequest(RequestKind::kProduce, status);
  append.bytes.Release();
  AppendOutcome outcome;
  outcome.status = status;
  outcome.epoch = epoch_;
  outcome.log_start = log_start();
  append.done(std::move(outcome));
}

}  // namespace talosmq::broker
