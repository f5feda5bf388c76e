#include "rpc/list_offsets.h"

#include "base/status.h"
#include "base/text.h"
#include "rpc/in_turns.h"
#include "rpc/limits.h"

#include <utility>

namespace talosmq::rpc {
namespace {

void FillOffset(const v1::OffsetQuery& query, const broker::OffsetOutcome& outcome,
                v1::PartitionOffset& answer) {
  answer.set_topic_id(query.topic_id().substr(0, sizeof(TopicId)));
  answer.set_partition(query.partition());
  if (!outcome.status.ok()) {
    FillError(outcome.status, *answer.mutable_error());
    return;
  }
  answer.set_offset(outcome.offset.value());
  answer.set_log_start_offset(outcome.log_start.value());
  answer.set_high_watermark(outcome.high_watermark.value());
  answer.set_log_end_offset(outcome.log_end.value());
  answer.set_leader_epoch(outcome.epoch.value());
}

absl::StatusOr<broker::OffsetSpec> SpecOf(const v1::OffsetQuery& query) {
  switch (query.spec_case()) {
    case v1::OffsetQuery::kStart:
      return broker::FromStart();
    case v1::OffsetQuery::kEnd:
      return broker::FromEnd();
    case v1::OffsetQuery::kTimeMs:
      return absl::FromUnixMillis(query.time_ms());
    case v1::OffsetQuery::SPEC_NOT_SET:
      break;
  }
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("the query for partition ", query.partition(),
                                " says neither start nor end nor time_ms"));
}

absl::StatusOr<broker::OffsetQuery> QueryOf(const v1::OffsetQuery& query) {
  broker::OffsetQuery result;
  TALOSMQ_ASSIGN_OR_RETURN(result.source, ParseTarget(query.topic_id(), query.partition()));
  TALOSMQ_ASSIGN_OR_RETURN(result.spec, SpecOf(query));
  result.known_epoch = KnownEpoch(query.known_leader_epoch_plus_one());
  return result;
}

/// Asks the broker and fills in `answer`, then runs `done`.
void AskOne(broker::MessageService& messages, const v1::OffsetQuery& query,
            v1::PartitionOffset& answer, base::Task done) {
  absl::StatusOr<broker::OffsetQuery> parsed = QueryOf(query);
  if (!parsed.ok()) {
    broker::OffsetOutcome refusal;
    refusal.status = parsed.status();
    FillOffset(query, refusal, answer);
    return done();
  }
  messages.FindOffset(*std::move(parsed), [&query, &answer, done = std::move(done)](
                                              const broker::OffsetOutcome& outcome) mutable {
    FillOffset(query, outcome, answer);
    done();
  });
}

}  // namespace

void ListOffsets(std::shared_ptr<ListOffsetsCall> call, broker::MessageService& messages) {
  const int queries = call->request.partitions_size();
  if (queries > kPartitionsPerMessageMax) {
    call->FinishRead(MakeError(Reason::kInvalidArgument,
                               base::StrCat("ListOffsets names ", queries, " partitions; at most ",
                                            kPartitionsPerMessageMax, " are taken")));
    return;
  }
  absl::Status status = CheckDistinct(call->request.partitions());
  if (status.ok()) status = call->Reserve(queries * kEntryBytes);
  if (!status.ok() || queries == 0) {
    call->FinishRead(status);
    return;
  }
  for (int i = 0; i < queries; ++i) call->response.add_partitions();
  AskInTurns(
      queries, kPartitionQueriesMax,
      [call, &messages](int index, base::Task done) {
        AskOne(messages, call->request.partitions(index), *call->response.mutable_partitions(index),
               std::move(done));
      },
      [call] { call->FinishRead(absl::OkStatus()); });
}

}  // namespace talosmq::rpc
