#include "rpc/list_offsets.h"

#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "rpc/limits.h"

#include <optional>
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

/// Collects the answers in the order of the queries. Thread-safe; shared by the callbacks.
class OffsetAnswers {
 public:
  explicit OffsetAnswers(std::shared_ptr<ListOffsetsCall> call)
      : call_(std::move(call)), missing_(call_->request.partitions_size()) {
    for (int i = 0; i < missing_; ++i) call_->response.add_partitions();
  }

  void OnAnswer(int index, const broker::OffsetOutcome& outcome) {
    {
      const base::MutexLock lock(mutex_);
      FillOffset(call_->request.partitions(index), outcome,
                 *call_->response.mutable_partitions(index));
      if (--missing_ > 0) return;
    }
    call_->Finish(absl::OkStatus());
  }

 private:
  const std::shared_ptr<ListOffsetsCall> call_;  ///< Its response is guarded by mutex_.
  base::Mutex mutex_;
  int missing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void ListOffsets(std::shared_ptr<ListOffsetsCall> call, broker::MessageService& messages) {
  const int queries = call->request.partitions_size();
  if (queries > kPartitionsPerMessageMax) {
    call->Finish(MakeError(Reason::kInvalidArgument,
                           base::StrCat("ListOffsets names ", queries, " partitions; at most ",
                                        kPartitionsPerMessageMax, " are taken")));
    return;
  }
  if (queries == 0) {
    call->Finish(absl::OkStatus());
    return;
  }
  const v1::ListOffsetsRequest& request = call->request;
  const auto answers = std::make_shared<OffsetAnswers>(call);
  for (int i = 0; i < queries; ++i) {
    absl::StatusOr<broker::OffsetQuery> query = QueryOf(request.partitions(i));
    if (query.ok()) {
      messages.FindOffset(*std::move(query),
                          [answers, i](const auto& outcome) { answers->OnAnswer(i, outcome); });
    } else {
      broker::OffsetOutcome refusal;
      refusal.status = query.status();
      answers->OnAnswer(i, refusal);
    }
  }
}

}  // namespace talosmq::rpc
