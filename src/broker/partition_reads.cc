#include "base/text.h"
#include "broker/partition.h"
#include "talosmq/error.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

// The read side of Partition: fetches, offsets, descriptions. Nothing here passes the high
// watermark.
namespace talosmq::broker {

void Partition::Fetch(WaitingFetch fetch) {
  if (!closed_.ok()) return RefuseFetch(fetch, closed_);
  const absl::Status epoch = CheckEpoch(fetch.request.known_epoch);
  if (!epoch.ok()) return RefuseFetch(fetch, epoch);
  const absl::Status opened = log_.Open(assignment_.log_options);
  if (!opened.ok()) return RefuseFetch(fetch, opened);
  // Before the log is open nothing is known, not even that there is nothing.
  if (log_.open() == nullptr) return Wait(std::move(fetch), absl::InfiniteDuration());
  TryFetch(std::move(fetch));
}

void Partition::TryFetch(WaitingFetch fetch) {
  // One of several that are tried in a row may have found the log broken.
  if (log_.open() == nullptr) return RefuseFetch(fetch, log_.trouble());
  const storage::PartitionLog& log = *log_.open();
  const Offset offset = fetch.request.offset;
  if (offset < log.log_start() || offset > log.log_end()) {
    return RefuseFetch(
        fetch,
        MakeError(Reason::kOffsetOutOfRange,
                  base::StrCat("partition ", assignment_.name, ": expected an offset in [",
                               log.log_start().value(), ", ", leader_.high_watermark().value(),
                               "], found ", offset.value())));
  }
  fetch.request.offset = PassSkipped(assignment_.image.skipped, offset);
  if (fetch.request.offset < leader_.high_watermark()) return ReadCommitted(std::move(fetch));
  // That a reader was moved on is news, too.
  const bool has_news = fetch.request.offset > offset;
  if (has_news || fetch.request.wait_until <= dependencies_.clock.Monotonic()) {
    return AnswerNothing(fetch);
  }
  const absl::Duration until = fetch.request.wait_until;
  Wait(std::move(fetch), until);
}

void Partition::Wait(WaitingFetch fetch, absl::Duration until) {
  const int64_t bound = dependencies_.options.partition.waiting_fetches_max;
  if (static_cast<int64_t>(fetches_.size()) >= bound) {
    return RefuseFetch(
        fetch, MakeError(Reason::kOverloaded, base::StrCat("partition ", assignment_.name, ": ",
                                                           bound, " fetches wait already")));
  }
  fetches_.Add(std::move(fetch), until);
}

void Partition::ReadCommitted(WaitingFetch fetch) {
  const storage::ReadRequest request{.offset = fetch.request.offset,
                                     .limit = leader_.high_watermark(),
                                     .bytes_max = fetch.request.bytes_max};
  const absl::Duration begin = dependencies_.clock.Monotonic();
  log_.Read(request, [this, begin, fetch = std::move(fetch)](
                         absl::StatusOr<storage::ReadResult> result) mutable {
    if (!result.ok()) return RefuseFetch(fetch, result.status());
    dependencies_.metrics.ObserveFetch(dependencies_.clock.Monotonic() - begin);
    AnswerFetch(fetch, *std::move(result));
  });
}

void Partition::AnswerFetch(WaitingFetch& fetch, storage::ReadResult result) {
  int64_t bytes = 0;
  for (const base::Buffer& chunk : result.chunks) bytes += static_cast<int64_t>(chunk.size());
  dependencies_.metrics.CountFetch(result.next_offset - fetch.request.offset, result.batches,
                                   bytes);
  dependencies_.metrics.CountRequest(RequestKind::kFetch, absl::OkStatus());
  fetch.done({.status = absl::OkStatus(),
              .chunks = std::move(result.chunks),
              .next_offset = result.next_offset,
              .log_start = log_start(),
              .high_watermark = leader_.high_watermark(),
              .epoch = epoch_});
}

void Partition::AnswerNothing(WaitingFetch& fetch) {
  storage::ReadResult nothing;
  nothing.next_offset = fetch.request.offset;
  AnswerFetch(fetch, std::move(nothing));
}

void Partition::RefuseFetch(WaitingFetch& fetch, const absl::Status& status) {
  dependencies_.metrics.CountRequest(RequestKind::kFetch, status);
  fetch.done({.status = status,
              .chunks = {},
              .next_offset = fetch.request.offset,
              .log_start = log_start(),
              .high_watermark = leader_.high_watermark(),
              .epoch = epoch_});
}

void Partition::CancelFetch(FetchTicket ticket) {
  std::optional<WaitingFetch> fetch = fetches_.Take(ticket);
  if (!fetch.has_value()) return;
  RefuseFetch(*fetch, MakeError(Reason::kCancelled, base::StrCat("partition ", assignment_.name,
                                                                 ": the fetch was given up")));
}

void Partition::WhenOpen(base::Callback<absl::Status> use) {
  if (!closed_.ok()) return use(closed_);
  const absl::Status opened = log_.Open(assignment_.log_options);
  if (!opened.ok() || log_.open() != nullptr) return use(opened);
  const int64_t bound = dependencies_.options.partition.waiting_fetches_max;
  if (static_cast<int64_t>(uses_.size()) >= bound) {
    return use(
        MakeError(Reason::kOverloaded, base::StrCat("partition ", assignment_.name, ": ", bound,
                                                    " queries wait for its log already")));
  }
  uses_.push_back(std::move(use));
}

void Partition::FindOffset(OffsetQuery query, base::Callback<OffsetOutcome> done) {
  const absl::Status epoch = CheckEpoch(query.known_epoch);
  if (!epoch.ok()) return AnswerOffset(epoch, leader_.high_watermark(), std::move(done));
  WhenOpen([this, query, done = std::move(done)](const absl::Status& opened) mutable {
    const Offset end = leader_.high_watermark();
    if (!opened.ok()) return AnswerOffset(opened, end, std::move(done));
    if (std::holds_alternative<FromStart>(query.spec)) {
      return AnswerOffset(log_start(), end, std::move(done));
    }
    if (std::holds_alternative<FromEnd>(query.spec)) return AnswerOffset(end, end, std::move(done));
    log_.FindOffset(std::get<absl::Time>(query.spec), end,
                    [this, end, done = std::move(done)](absl::StatusOr<Offset> found) mutable {
                      AnswerOffset(std::move(found), end, std::move(done));
                    });
  });
}

void Partition::AnswerOffset(absl::StatusOr<Offset> found, Offset end,
                             base::Callback<OffsetOutcome> done) {
  OffsetOutcome outcome;
  outcome.status = found.status();
  outcome.log_start = log_start();
  outcome.high_watermark = end;
  outcome.epoch = epoch_;
  if (found.ok()) outcome.offset = *found;
  dependencies_.metrics.CountRequest(RequestKind::kFindOffset, found.status());
  if (log_.open() != nullptr) outcome.log_end = log_.open()->log_end();
  done(std::move(outcome));
}

void Partition::FindHistory(const HistoryQuery& query, base::Callback<HistoryOutcome> done) {
  const absl::Status epoch = CheckEpoch(query.known_epoch);
  if (!epoch.ok()) return done({.status = epoch});
  WhenOpen([this, asked = query.epoch, done = std::move(done)](const absl::Status& opened) mutable {
    if (!opened.ok()) return done({.status = opened});
    done(HistoryOf(asked));
  });
}

HistoryOutcome Partition::HistoryOf(LeaderEpoch asked) const {
  const storage::PartitionLog& log = *log_.open();
  const auto& epochs = log.epochs();
  const auto next = std::ranges::upper_bound(epochs, asked, {}, &storage::EpochEntry::epoch);
  const Offset end = next == epochs.end() ? log.log_end() : next->start_offset;
  HistoryOutcome history{.status = absl::OkStatus(),
                         .compacted_end = log.compacted_end(),
                         .log_start = log_start(),
                         .high_watermark = leader_.high_watermark()};
  const bool is_known = next != epochs.begin();
  const LeaderEpoch last = is_known ? std::prev(next)->epoch : asked;
  if (last == asked && is_known) history.epoch_end = std::min(end, leader_.high_watermark());
  // The leader's own epoch is in the log from its first append on.
  if (asked >= LeaderEpoch(0) && asked <= epoch_) {
    history.last_epoch = EpochEnd{.epoch = asked == epoch_ ? asked : last, .end = end};
  }
  return history;
}

void Partition::DescribeProducers(
    base::Callback<absl::StatusOr<std::vector<ProducerDescription>>> done) {
  WhenOpen([this, done = std::move(done)](const absl::Status& opened) mutable {
    if (!opened.ok()) return done(opened);
    std::vector<ProducerDescription> producers;
    for (const storage::ProducerState& state : log_.open()->Producers()) {
      const storage::ProducerBatch& last = state.batches().back();
      producers.push_back({.id = state.id,
                           .epoch = state.epoch,
                           .last_sequence = last.last_sequence,
                           .last_timestamp_ms = last.timestamp_ms});
    }
    done(std::move(producers));
  });
}

void Partition::DeleteRecords(std::optional<Offset> before, base::Callback<DeletionOutcome> done) {
  WhenOpen([this, before, done = std::move(done)](const absl::Status& opened) mutable {
    if (!opened.ok()) return AnswerDeletion(opened, std::move(done));
    const Offset end = leader_.high_watermark();
    const Offset log_start = before.value_or(end);
    if (log_start < Offset(0) || log_start > end) {
      const absl::Status refusal =
          MakeError(Reason::kOffsetOutOfRange,
                    base::StrCat("partition ", assignment_.name, ": expected an offset in [0, ",
                                 end.value(), "], found ", log_start.value()));
      return AnswerDeletion(refusal, std::move(done));
    }
    log_.MoveLogStart(log_start, [this, done = std::move(done)](const absl::Status& moved) mutable {
      AnswerDeletion(moved, std::move(done));
    });
  });
}

void Partition::AnswerDeletion(const absl::Status& status, base::Callback<DeletionOutcome> done) {
  dependencies_.metrics.CountRequest(RequestKind::kDeleteRecords, status);
  done({.status = status, .log_start = log_start()});
}

void Partition::CleanUp(Cleanup work, absl::Time now, base::Callback<absl::Status> done) {
  WhenOpen([this, work, now, done = std::move(done)](const absl::Status& opened) mutable {
    if (!opened.ok()) return done(opened);
    const Offset limit = leader_.high_watermark();
    switch (work) {
      case Cleanup::kRetention:
        return log_.ApplyRetention(now, limit, std::move(done));
      case Cleanup::kCompaction:
        return log_.Compact(now, limit, std::move(done));
    }
  });
}

void Partition::FindDamageBelow(Offset to, base::Callback<absl::StatusOr<CorruptRange>> done) {
  WhenOpen([this, to, done = std::move(done)](const absl::Status& opened) mutable {
    if (!opened.ok()) return done(opened);
    const Offset end = leader_.high_watermark();
    if (to < log_start() || to > end) {
      return done(
          MakeError(Reason::kOffsetOutOfRange,
                    base::StrCat("partition ", assignment_.name, ": expected an offset in [",
                                 log_start().value(), ", ", end.value(), "], found ", to.value())));
    }
    if (to == log_start()) return done(DamageBelow(to));
    log_.Read({.offset = Offset(to.value() - 1), .limit = end, .bytes_max = 1},
              [this, to,
               done = std::move(done)](const absl::StatusOr<storage::ReadResult>& read) mutable {
                // Damage that it has met is known by now.
                if (!read.ok() && !CorruptRangeOf(read.status())) return done(read.status());
                done(DamageBelow(to));
              });
  });
}

absl::StatusOr<CorruptRange> Partition::DamageBelow(Offset to) const {
  const CorruptRanges::Known* damage = corrupt_.LastBelow(to);
  if (damage == nullptr) {
    return MakeError(
        Reason::kInvalidArgument,
        base::StrCat("partition ", assignment_.name, ": expected an offset behind damage, found ",
                     to.value(), ", below which nothing damaged is known"));
  }
  if (to < damage->range.next) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("partition ", assignment_.name, ": expected an offset from ",
                                  damage->range.next.value(), " on, found ", to.value(),
                                  ", which cannot be read either: ", damage->what));
  }
  return CorruptRange{.first = damage->range.first, .next = to};
}

void Partition::Describe(base::Callback<PartitionDescription> done) {
  WhenOpen([this, done = std::move(done)](const absl::Status& opened) mutable {
    PartitionDescription description{.partition = id_.partition,
                                     .status = opened,
                                     .leader = assignment_.image.leader,
                                     .epoch = epoch_,
                                     .replicas = assignment_.image.replicas,
                                     .in_sync = assignment_.image.in_sync,
                                     .skipped = assignment_.image.skipped,
                                     .log_start = log_start(),
                                     .high_watermark = leader_.high_watermark(),
                                     .log_end = Offset(0)};
    if (opened.ok()) {
      description.log_end = log_.open()->log_end();
      description.size_bytes = log_.open()->size_bytes();
      description.lifetime_bytes = log_.open()->lifetime_bytes();
    }
    done(std::move(description));
  });
}

}  // namespace talosmq::broker
