#include "client/group_lane.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "client/pending_result.h"
#include "talosmq/error.h"

#include <utility>

namespace talosmq::client {

std::optional<Offset> LaneProgress::TakeUncommitted() {
  const int64_t next = processed.load();
  if (next == kNothing || is_lost.load() || committed.exchange(next) == next) return std::nullopt;
  return Offset(next);
}

void GroupLaneProcessor::Init(PartitionId partition, Offset start) {
  given_ = start;
  // A start that nobody has committed is committed as well: who takes over begins there.
  deps_.progress->processed = start.value();
  NoteBusy();
  deps_.processor->Init({.topic = options_.topic, .partition = partition}, start);
  deps_.progress->busy_since_ns = kNotBusy;
}

void GroupLaneProcessor::NoteBusy() {
  deps_.progress->busy_since_ns = absl::ToInt64Nanoseconds(deps_.group->clock().Monotonic());
}

absl::Status GroupLaneProcessor::CheckLive() const {
  if (!deps_.progress->is_lost.load() && deps_.group->IsLive()) return absl::OkStatus();
  return MakeError(Reason::kUnknownMember, base::StrCat("topic ", options_.topic, " partition ",
                                                        options_.source.partition.value(),
                                                        ": the lease of this member has ended"));
}

absl::Status GroupLaneProcessor::Process(const RecordBatchView& records) {
  TALOSMQ_RETURN_IF_ERROR(CheckLive());
  given_ = records.records().back().offset + 1;
  NoteBusy();
  const absl::Status processed = deps_.processor->Process(records, *this);
  deps_.progress->busy_since_ns = kNotBusy;
  TALOSMQ_RETURN_IF_ERROR(processed);
  deps_.progress->processed = given_.value();
  uncommitted_records_ += static_cast<int64_t>(records.records().size());
  if (options_.auto_commit && uncommitted_records_ >= options_.commit_records) {
    uncommitted_records_ = 0;
    if (const std::optional<Offset> next = deps_.progress->TakeUncommitted()) {
      CommitProgress(deps_.executor, deps_.group,
                     {{{.partition = options_.source, .offset = *next}, deps_.progress}}, {});
    }
  }
  return absl::OkStatus();
}

void GroupLaneProcessor::Shutdown(const absl::Status& why) {
  const absl::Status live = CheckLive();
  NoteBusy();
  deps_.processor->Shutdown(why.ok() ? live : why, *this);
  deps_.processor = nullptr;
  deps_.progress->busy_since_ns = kNotBusy;
  if (options_.auto_commit && CheckLive().ok()) {
    // What it says has been logged.
    if (const auto next = deps_.progress->TakeUncommitted()) CommitAndWait(*next).IgnoreError();
  }
  deps_.on_shut_down();
}

absl::Status GroupLaneProcessor::Commit() {
  TALOSMQ_RETURN_IF_ERROR(CheckLive());
  if (given_.value() == deps_.progress->committed.load()) return absl::OkStatus();
  return CommitAndWait(given_);
}

absl::Status GroupLaneProcessor::Commit(Offset next) {
  TALOSMQ_RETURN_IF_ERROR(CheckLive());
  const int64_t committed = deps_.progress->committed.load();
  if (next.value() <= committed || next > given_) {
    return MakeError(
        Reason::kInvalidArgument,
        base::StrCat("topic ", options_.topic, " partition ", options_.source.partition.value(),
                     ": expected an offset above ", committed, " and up to ", given_.value(),
                     ", found ", next.value()));
  }
  return CommitAndWait(next);
}

absl::Status GroupLaneProcessor::CommitAndWait(Offset next) {
  deps_.progress->committed = next.value();
  PendingResult<absl::Status> committed;
  CommitProgress(deps_.executor, deps_.group,
                 {{{.partition = options_.source, .offset = next}, deps_.progress}},
                 committed.callback());
  return committed.Wait();
}

void CommitProgress(base::Executor& executor, const std::shared_ptr<GroupCore>& group,
                    std::vector<std::pair<OffsetCommit, std::shared_ptr<LaneProgress>>> commits,
                    base::Callback<absl::Status> done) {
  executor.Post([group, commits = std::move(commits), done = std::move(done)]() mutable {
    std::vector<OffsetCommit> offsets;
    std::vector<TopicPartition> partitions;
    std::vector<std::shared_ptr<LaneProgress>> lanes;
    for (auto& [commit, lane] : commits) {
      partitions.push_back(commit.partition);
      offsets.push_back(std::move(commit));
      lanes.push_back(std::move(lane));
    }
    group->Commit(std::move(offsets),
                  [partitions = std::move(partitions), lanes = std::move(lanes),
                   done = std::move(done)](const std::vector<absl::Status>& outcomes) mutable {
                    for (size_t i = 0; i < outcomes.size(); ++i) {
                      if (!outcomes[i].ok()) lanes[i]->committed = LaneProgress::kNothing;
                    }
                    const absl::Status status = FirstError(partitions, outcomes);
                    if (!status.ok()) base::LogWarning("sdk", base::FromAbsl(status.message()));
                    if (done) done(status);
                  });
  });
}

}  // namespace talosmq::client
