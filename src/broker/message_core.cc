#include "broker/message_core.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "base/status.h"
#include "base/text.h"
#include "broker/pending_append.h"
#include "record/batch.h"
#include "talosmq/error.h"

namespace talosmq::broker {
namespace {

/// A batch that has passed the checks and carries the timestamps it will keep.
struct CheckedBatch {
  record::BatchFacts facts;
  std::optional<absl::Time> log_append_time;
};

absl::StatusOr<CheckedBatch> CheckBatch(base::Buffer& batch, const record::ValidationOptions& rules,
                                        absl::Time now) {
  record::ValidationOptions options = rules;
  options.now_ms = absl::ToUnixMillis(now);
  auto facts = record::ValidateClientBatch(batch.bytes(), options);
  if (!facts.ok()) return facts.status();
  CheckedBatch checked{.facts = *std::move(facts), .log_append_time = std::nullopt};
  const bool is_stamped = options.timestamp_type == record::TimestampType::kLogAppendTime;
  if (is_stamped) {
    record::StampLogAppendTime(batch.mutable_bytes(), options.now_ms);
    checked.facts.max_timestamp_ms = options.now_ms;
    checked.log_append_time = absl::FromUnixMillis(options.now_ms);
  } else if (checked.facts.max_timestamp_ms != checked.facts.header.max_timestamp_ms) {
    record::PatchMaxTimestamp(batch.mutable_bytes(), checked.facts.max_timestamp_ms);
  } else {
    return checked;
  }
  auto header = record::ParseHeader(batch.bytes());
  if (!header.ok()) return header.status();
  checked.facts.header = *header;
  return checked;
}

absl::Status Overloaded(const TopicPartition& id) {
  return MakeError(Reason::kOverloaded,
                   base::StrCat("partition ", id.ToString(), ": its shard has too much to do"));
}

}  // namespace

template <typename Outcome>
void MessageCore::Refuse(const absl::Status& status, base::Callback<Outcome> done) {
  dependencies_.metrics.CountError(status);
  Outcome outcome;
  outcome.status = status;
  done(std::move(outcome));
}

void MessageCore::Append(AppendRequest request, base::Callback<AppendOutcome> done) {
  auto route = dependencies_.partitions.Find(request.target);
  if (!route.ok()) return Refuse(route.status(), std::move(done));
  auto checked =
      CheckBatch(request.batch, route->settings->validation, dependencies_.clock.Now());
  if (!checked.ok()) {
    return Refuse(base::Annotate(checked.status(), base::StrCat("partition ", request.target.ToString())),
                  std::move(done));
  }
  auto bytes = route->append_budget.Take(static_cast<int64_t>(request.batch.size()));
  if (!bytes.has_value()) return Refuse(Overloaded(request.target), std::move(done));

  std::unique_ptr<PendingAppend> append(new PendingAppend{.request = std::move(request),
                                                          .facts = std::move(checked->facts),
                                                          .log_append_time = checked->log_append_time,
                                                          .bytes = *std::move(bytes),
                                                          .done = std::move(done),
                                                          .outcome = {}});
  PendingAppend& waiting = *append;
  base::Executor& shard = route->shard;
  base::Task task = [pass = std::move(route->pass), partition = std::move(route->partition),
                     append = std::move(append)]() mutable { partition->Append(std::move(append)); };
  if (shard.TryPost(task)) return;
  Refuse(Overloaded(waiting.request.target), std::move(waiting.done));
}

FetchTicket MessageCore::Fetch(FetchRequest request, base::Callback<FetchOutcome> done) {
  const FetchTicket ticket{++last_ticket_};
  auto route = dependencies_.partitions.Find(request.source);
  if (!route.ok()) {
    Refuse(route.status(), std::move(done));
    return ticket;
  }
  const TopicPartition source = request.source;
  auto fetch = std::make_unique<WaitingFetch>(WaitingFetch{
      .ticket = ticket, .request = std::move(request), .done = std::move(done)});
  WaitingFetch& waiting = *fetch;
  base::Executor& shard = route->shard;
  base::Task task = [pass = std::move(route->pass), partition = std::move(route->partition),
                     fetch = std::move(fetch)]() mutable { partition->Fetch(std::move(*fetch)); };
  if (!shard.TryPost(task)) Refuse(Overloaded(source), std::move(waiting.done));
  return ticket;
}

void MessageCore::CancelFetch(const TopicPartition& source, FetchTicket ticket) {
  dependencies_.partitions.CancelFetch(source, ticket);
}

void MessageCore::FindOffset(OffsetQuery query, base::Callback<OffsetOutcome> done) {
  auto route = dependencies_.partitions.Find(query.source);
  if (!route.ok()) return Refuse(route.status(), std::move(done));
  auto answer = std::make_unique<base::Callback<OffsetOutcome>>(std::move(done));
  base::Callback<OffsetOutcome>& waiting = *answer;
  base::Executor& shard = route->shard;
  base::Task task = [pass = std::move(route->pass), partition = std::move(route->partition), query,
                     answer = std::move(answer)]() mutable {
    partition->FindOffset(query, std::move(*answer));
  };
  if (!shard.TryPost(task)) Refuse(Overloaded(query.source), std::move(waiting));
}

void MessageCore::InitProducer(base::Callback<absl::StatusOr<ProducerIdentity>> done) {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (!pass.has_value()) {
    return done(MakeError(Reason::kShuttingDown, "the broker is stopping"));
  }
  dependencies_.admin_executor.Post(
      [this, pass = *std::move(pass), done = std::move(done)]() mutable {
        dependencies_.producer_ids.Next(
            [pass = std::move(pass), done = std::move(done)](absl::StatusOr<ProducerId> id) mutable {
              if (!id.ok()) return done(id.status());
              done(ProducerIdentity{.id = *id, .epoch = 0});
            });
      });
}

}  // namespace talosmq::broker
