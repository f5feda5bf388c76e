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

/// Asks the broker, kOffsetQueriesMax queries at a time, and collects the answers in the order of
/// the queries. Thread-safe; shared by the callbacks.
class OffsetQueries : public std::enable_shared_from_this<OffsetQueries> {
 public:
  /// `call` has at least one query.
  OffsetQueries(std::shared_ptr<ListOffsetsCall> call, broker::MessageService& messages)
      : call_(std::move(call)), messages_(messages), missing_(call_->request.partitions_size()) {
    for (int i = 0; i < missing_; ++i) call_->response.add_partitions();
  }

  /// Asks as many as may be asked now. One thread at a time does, since an answer may come inside.
  void Ask() {
    {
      const base::MutexLock lock(mutex_);
      if (asking_) return;
      asking_ = true;
    }
    while (const std::optional<int> index = TakeNext()) AskOne(*index);
  }

 private:
  /// Nothing, and asking is over, when none is left or enough are under way.
  std::optional<int> TakeNext() {
    const base::MutexLock lock(mutex_);
    if (next_ == call_->request.partitions_size() || under_way_ == kOffsetQueriesMax) {
      asking_ = false;
      return std::nullopt;
    }
    ++under_way_;
    return next_++;
  }

  void AskOne(int index) {
    absl::StatusOr<broker::OffsetQuery> query = QueryOf(call_->request.partitions(index));
    if (query.ok()) {
      messages_.FindOffset(*std::move(query),
                           [self = shared_from_this(), index](const auto& outcome) {
                             self->OnAnswer(index, outcome);
                           });
    } else {
      broker::OffsetOutcome refusal;
      refusal.status = query.status();
      OnAnswer(index, refusal);
    }
  }

  void OnAnswer(int index, const broker::OffsetOutcome& outcome) {
    bool is_last = false;
    {
      const base::MutexLock lock(mutex_);
      FillOffset(call_->request.partitions(index), outcome,
                 *call_->response.mutable_partitions(index));
      --under_way_;
      is_last = --missing_ == 0;
    }
    if (is_last) {
      call_->FinishRead(absl::OkStatus());
    } else {
      Ask();
    }
  }

  const std::shared_ptr<ListOffsetsCall> call_;  ///< Its response is guarded by mutex_.
  broker::MessageService& messages_;
  base::Mutex mutex_;
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  int next_ ABSL_GUARDED_BY(mutex_) = 0;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  int missing_ ABSL_GUARDED_BY(mutex_);
};

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
  std::make_shared<OffsetQueries>(std::move(call), messages)->Ask();
}

}  // namespace talosmq::rpc
