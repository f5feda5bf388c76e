#include "broker/message_core.h"

#include "base/status.h"
#include "base/text.h"
#include "broker/pending_append.h"
#include "broker/try_post.h"
#include "record/batch.h"
#include "talosmq/error.h"

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include <memory>
#include <optional>
#include <utility>

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

/// A fetch that has found its partition.
struct RoutedFetch {
  base::Gate::Pass pass;
  std::shared_ptr<Partition> partition;
  WaitingFetch fetch;
};

absl::Status Overloaded(const TopicPartition& id) {
  return MakeError(Reason::kOverloaded,
                   base::StrCat("partition ", id.ToString(), ": its shard has too much to do"));
}

absl::Status CheckWritable(const metadata::TopicImage& topic) {
  if (!topic.is_internal) return absl::OkStatus();
  return MakeError(
      Reason::kInvalidArgument,
      base::StrCat("topic ", topic.name, " is the system's own; clients only read it"));
}

}  // namespace

template <typename Outcome>
void MessageCore::Refuse(RequestKind kind, const absl::Status& status,
                         base::Callback<Outcome> done) {
  dependencies_.metrics.CountRequest(kind, status);
  Outcome outcome;
  outcome.status = status;
  done(std::move(outcome));
}

void MessageCore::Append(AppendRequest request, base::Callback<AppendOutcome> done) {
  const absl::Duration arrival = dependencies_.clock.Monotonic();
  auto route = dependencies_.partitions.Find(request.target);
  if (!route.ok()) return Refuse(RequestKind::kProduce, route.status(), std::move(done));
  if (request.origin == Origin::kClient) {
    const absl::Status writable = CheckWritable(*route->settings->topic);
    if (!writable.ok()) return Refuse(RequestKind::kProduce, writable, std::move(done));
  }
  auto checked = CheckBatch(request.batch, route->settings->validation, dependencies_.clock.Now());
  if (!checked.ok()) {
    return Refuse(
        RequestKind::kProduce,
        base::Annotate(checked.status(), base::StrCat("partition ", request.target.ToString())),
        std::move(done));
  }
  auto bytes = route->append_budget.Take(static_cast<int64_t>(request.batch.size()));
  if (!bytes.has_value())
    return Refuse(RequestKind::kProduce, Overloaded(request.target), std::move(done));

  std::unique_ptr<PendingAppend> append(
      new PendingAppend{.request = std::move(request),
                        .arrival = arrival,
                        .facts = std::move(checked->facts),
                        .log_append_time = checked->log_append_time,
                        .bytes = *std::move(bytes),
                        .done = nullptr,
                        .outcome = {}});
  const TopicPartition target = append->request.target;
  const bool is_posted =
      TryPostWith(route->shard, done,
                  [pass = std::move(route->pass), partition = std::move(route->partition),
                   append = std::move(append)](base::Callback<AppendOutcome> answer) mutable {
                    append->done = std::move(answer);
                    partition->Append(std::move(append));
                  });
  if (!is_posted) Refuse(RequestKind::kProduce, Overloaded(target), std::move(done));
}

FetchTicket MessageCore::Fetch(FetchRequest request, base::Callback<FetchOutcome> done) {
  const FetchTicket ticket{++last_ticket_};
  auto route = dependencies_.partitions.Find(request.source);
  if (!route.ok()) {
    Refuse(RequestKind::kFetch, route.status(), std::move(done));
    return ticket;
  }
  const TopicPartition source = request.source;
  const bool is_posted = TryPostWith(
      route->shard, done,
      [pass = std::move(route->pass), partition = std::move(route->partition), ticket,
       request = std::move(request)](base::Callback<FetchOutcome> answer) mutable {
        partition->Fetch(
            {.ticket = ticket, .request = std::move(request), .done = std::move(answer)});
      });
  if (!is_posted) Refuse(RequestKind::kFetch, Overloaded(source), std::move(done));
  return ticket;
}

std::vector<FetchTicket> MessageCore::FetchAll(std::vector<FetchRequest> requests,
                                               std::function<void(size_t, FetchOutcome)> done) {
  std::vector<FetchTicket> tickets;
  absl::flat_hash_map<base::Executor*, std::vector<RoutedFetch>> by_shard;
  for (size_t index = 0; index < requests.size(); ++index) {
    WaitingFetch fetch{
        .ticket = FetchTicket{++last_ticket_},
        .request = std::move(requests[index]),
        .done = [done, index](FetchOutcome outcome) { done(index, std::move(outcome)); }};
    tickets.push_back(fetch.ticket);
    auto route = dependencies_.partitions.Find(fetch.request.source);
    if (route.ok()) {
      by_shard[&route->shard].push_back({.pass = std::move(route->pass),
                                         .partition = std::move(route->partition),
                                         .fetch = std::move(fetch)});
    } else {
      Refuse(RequestKind::kFetch, route.status(), std::move(fetch.done));
    }
  }
  for (auto& [shard, fetches] : by_shard) {
    auto owned = std::make_unique<std::vector<RoutedFetch>>(std::move(fetches));
    std::vector<RoutedFetch>& lent = *owned;
    base::Task task = [owned = std::move(owned)] {
      for (RoutedFetch& routed : *owned) routed.partition->Fetch(std::move(routed.fetch));
    };
    if (shard->TryPost(task)) continue;
    for (RoutedFetch& refused : lent) {
      Refuse(RequestKind::kFetch, Overloaded(refused.fetch.request.source),
             std::move(refused.fetch.done));
    }
  }
  return tickets;
}

void MessageCore::CancelFetches(const std::vector<NamedFetch>& fetches) {
  dependencies_.partitions.CancelFetches(fetches);
}

void MessageCore::FindOffset(OffsetQuery query, base::Callback<OffsetOutcome> done) {
  auto route = dependencies_.partitions.Find(query.source);
  if (!route.ok()) return Refuse(RequestKind::kFindOffset, route.status(), std::move(done));
  const TopicPartition source = query.source;
  const bool is_posted =
      TryPostWith(route->shard, done,
                  [pass = std::move(route->pass), partition = std::move(route->partition),
                   query = std::move(query)](base::Callback<OffsetOutcome> answer) mutable {
                    partition->FindOffset(std::move(query), std::move(answer));
                  });
  if (!is_posted) Refuse(RequestKind::kFindOffset, Overloaded(source), std::move(done));
}

void MessageCore::FindHistory(HistoryQuery query, base::Callback<HistoryOutcome> done) {
  auto route = dependencies_.partitions.Find(query.source);
  if (!route.ok()) return Refuse(RequestKind::kFindOffset, route.status(), std::move(done));
  const bool is_posted =
      TryPostWith(route->shard, done,
                  [pass = std::move(route->pass), partition = std::move(route->partition),
                   query](base::Callback<HistoryOutcome> answer) mutable {
                    partition->FindHistory(query, std::move(answer));
                  });
  if (!is_posted) Refuse(RequestKind::kFindOffset, Overloaded(query.source), std::move(done));
}

void MessageCore::DescribeProducers(
    const TopicPartition& source,
    base::Callback<absl::StatusOr<std::vector<ProducerDescription>>> done) {
  using Producers = absl::StatusOr<std::vector<ProducerDescription>>;
  auto route = dependencies_.partitions.Find(source);
  if (!route.ok()) return done(route.status());
  const bool is_posted =
      TryPostWith(route->shard, done,
                  [pass = std::move(route->pass), partition = std::move(route->partition)](
                      base::Callback<Producers> answer) mutable {
                    partition->DescribeProducers(std::move(answer));
                  });
  if (!is_posted) done(Overloaded(source));
}

void MessageCore::DeleteRecords(RecordDeletion deletion, base::Callback<DeletionOutcome> done) {
  auto route = dependencies_.partitions.Find(deletion.target);
  if (!route.ok()) return Refuse(RequestKind::kDeleteRecords, route.status(), std::move(done));
  const absl::Status writable = CheckWritable(*route->settings->topic);
  if (!writable.ok()) return Refuse(RequestKind::kDeleteRecords, writable, std::move(done));
  const bool is_posted =
      TryPostWith(route->shard, done,
                  [pass = std::move(route->pass), partition = std::move(route->partition),
                   before = deletion.before](base::Callback<DeletionOutcome> answer) mutable {
                    partition->DeleteRecords(before, std::move(answer));
                  });
  if (!is_posted) {
    Refuse(RequestKind::kDeleteRecords, Overloaded(deletion.target), std::move(done));
  }
}

void MessageCore::InitProducer(base::Callback<absl::StatusOr<ProducerIdentity>> done) {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (!pass.has_value()) {
    return done(MakeError(Reason::kShuttingDown, "the broker is stopping"));
  }
  const bool is_posted = TryPostWith(
      dependencies_.admin_executor, done,
      [this,
       pass = *std::move(pass)](base::Callback<absl::StatusOr<ProducerIdentity>> answer) mutable {
        dependencies_.producer_ids.Next([pass = std::move(pass), answer = std::move(answer)](
                                            absl::StatusOr<ProducerId> id) mutable {
          if (!id.ok()) return answer(id.status());
          answer(ProducerIdentity{.id = *id, .epoch = 0});
        });
      });
  if (!is_posted) done(MakeError(Reason::kOverloaded, "producer ids: too many callers"));
}

}  // namespace talosmq::broker
