#include "rpc/delete_records.h"

#include "base/text.h"
#include "rpc/in_turns.h"
#include "rpc/limits.h"

#include <utility>

namespace talosmq::rpc {
namespace {

void FillDeleted(const v1::RecordDeletion& deletion, const broker::DeletionOutcome& outcome,
                 v1::DeletedRecords& answer) {
  answer.set_topic_id(deletion.topic_id().substr(0, sizeof(TopicId)));
  answer.set_partition(deletion.partition());
  if (outcome.status.ok()) {
    answer.set_log_start_offset(outcome.log_start.value());
  } else {
    FillError(outcome.status, *answer.mutable_error());
  }
}

/// Asks the broker and fills in `answer`, then runs `done`.
void DeleteOne(broker::MessageService& messages, const v1::RecordDeletion& deletion,
               v1::DeletedRecords& answer, base::Task done) {
  const auto target = ParseTarget(deletion.topic_id(), deletion.partition());
  if (!target.ok()) {
    FillDeleted(deletion, {.status = target.status(), .log_start = {}}, answer);
    return done();
  }
  broker::RecordDeletion request{.target = *target, .before = std::nullopt};
  if (deletion.has_before_offset()) request.before = Offset(deletion.before_offset());
  messages.DeleteRecords(request, [&deletion, &answer, done = std::move(done)](
                                      const broker::DeletionOutcome& outcome) mutable {
    FillDeleted(deletion, outcome, answer);
    done();
  });
}

}  // namespace

void DeleteRecords(std::shared_ptr<DeleteRecordsCall> call, broker::MessageService& messages) {
  const int deletions = call->request.partitions_size();
  if (deletions > kPartitionsPerMessageMax) {
    call->Finish(MakeError(Reason::kInvalidArgument,
                           base::StrCat("DeleteRecords names ", deletions, " partitions; at most ",
                                        kPartitionsPerMessageMax, " are taken")));
    return;
  }
  absl::Status status = CheckDistinct(call->request.partitions());
  if (status.ok()) status = call->Reserve(deletions * kEntryBytes);
  if (!status.ok() || deletions == 0) {
    call->Finish(status);
    return;
  }
  for (int i = 0; i < deletions; ++i) call->response.add_partitions();
  AskInTurns(
      deletions, kPartitionQueriesMax,
      [call, &messages](int index, base::Task done) {
        DeleteOne(messages, call->request.partitions(index),
                  *call->response.mutable_partitions(index), std::move(done));
      },
      [call] { call->Finish(absl::OkStatus()); });
}

}  // namespace talosmq::rpc
