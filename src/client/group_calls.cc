#include "client/group_calls.h"

#include "base/status.h"
#include "base/text.h"
#include "client/error_message.h"
#include "client/retry.h"
#include "talosmq/error.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace talosmq::client {
namespace {

using Response = v1::CommitOffsetsResponse;

/// A lost answer leaves open whether the comparison was made and held.
bool IsOutcomeOpen(const OffsetCommit& commit, const absl::Status& status) {
  return commit.expected.has_value() && !IsRetrySafe(ReasonOf(status));
}

/// One CommitOffsets from its first try to its outcome.
class Commit : public std::enable_shared_from_this<Commit> {
 public:
  Commit(ClientCore& core, GroupIdentity identity, std::vector<OffsetCommit> commits,
         CommitDone done)
      : core_(core),
        identity_(std::move(identity)),
        commits_(std::move(commits)),
        outcomes_(commits_.size()),
        done_(std::move(done)),
        deadline_(core.clock().Monotonic() + core.options().request_timeout) {
    for (size_t i = 0; i < commits_.size(); ++i) open_.push_back(i);
  }

  void Try() {
    sent_ = std::min(open_.size(), kCommitPartitionsMax);
    v1::CommitOffsetsRequest request;
    request.set_group(identity_.group);
    request.set_member_id(identity_.member_id);
    request.set_generation(identity_.generation);
    for (size_t n = 0; n < sent_; ++n) Write(commits_[open_[n]], *request.add_offsets());
    core_.CallTyped<Response>(
        "/talosmq.v1.ConsumerService/CommitOffsets", request, CallPolicy::kOnce,
        [self = shared_from_this()](const absl::StatusOr<Response>& response) {
          self->OnAnswer(response);
        });
  }

  void End(const absl::Status& why) {
    for (size_t n = 0; n < open_.size(); ++n) {
      const bool is_open = n < sent_ && commits_[open_[n]].expected.has_value();
      outcomes_[open_[n]] =
          is_open ? MakeError(Reason::kMaybeStored, base::FromAbsl(why.message())) : why;
    }
    Tell();
  }

 private:
  static void Write(const OffsetCommit& commit, v1::OffsetCommit& message) {
    message.set_topic_id(std::string(commit.partition.topic_id.bytes()));
    message.set_partition(commit.partition.partition.value());
    message.set_offset(commit.offset.value());
    message.set_metadata(commit.metadata);
    if (commit.expected) message.set_expected_offset(commit.expected->value());
  }

  static absl::Status OutcomeOf(const OffsetCommit& commit,
                                const absl::StatusOr<Response>& response) {
    if (!response.ok()) return response.status();
    for (const v1::CommittedPartition& answer : response->partitions()) {
      if (answer.topic_id() != commit.partition.topic_id.bytes()) continue;
      if (answer.partition() != commit.partition.partition.value()) continue;
      return answer.has_error() ? StatusOf(answer.error()) : absl::OkStatus();
    }
    return MakeError(Reason::kInternal,
                     base::StrCat("commit of partition ", commit.partition.ToString(),
                                  ": the server sent no outcome"));
  }

  void Tell() {
    if (std::exchange(is_told_, true)) return;
    done_(std::move(outcomes_));
  }

  void OnAnswer(const absl::StatusOr<Response>& response) {
    if (is_told_) return;
    const auto unsent = open_.begin() + static_cast<std::ptrdiff_t>(std::exchange(sent_, 0));
    std::vector<size_t> again(unsent, open_.end());
    absl::Status why;
    for (const size_t i : std::span(open_.begin(), unsent)) {
      outcomes_[i] = OutcomeOf(commits_[i], response);
      if (!IsGroupTransient(outcomes_[i])) continue;
      if (IsOutcomeOpen(commits_[i], outcomes_[i])) {
        outcomes_[i] = MakeError(Reason::kMaybeStored, base::FromAbsl(outcomes_[i].message()));
        continue;
      }
      again.push_back(i);
      why = outcomes_[i];
    }
    open_ = std::move(again);
    if (open_.empty()) return Tell();
    if (why.ok()) return Try();
    const absl::Duration pause = core_.PauseAfter(failures_++, why);
    if (core_.clock().Monotonic() + pause >= deadline_) return End(why);
    core_.executor().PostAfter(pause, [self = shared_from_this()] {
      if (!self->is_told_) self->Try();
    });
  }

  ClientCore& core_;
  const GroupIdentity identity_;
  const std::vector<OffsetCommit> commits_;
  std::vector<absl::Status> outcomes_;
  std::vector<size_t> open_;  ///< Of commits_: without an outcome that holds.
  size_t sent_ = 0;           ///< Of open_, from its begin: those in the call under way.
  bool is_told_ = false;
  CommitDone done_;
  const absl::Duration deadline_;
  int failures_ = 0;
};

}  // namespace

bool IsGroupTransient(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  return IsTransient(status) || reason == Reason::kMaybeStored ||
         reason == Reason::kDeadlineExceeded;
}

absl::Status FirstError(const std::vector<TopicPartition>& partitions,
                        const std::vector<absl::Status>& outcomes) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].ok()) {
      return base::Annotate(outcomes[i],
                            base::StrCat("commit of partition ", partitions[i].ToString()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TopicPartition> ReadGroupPartition(const std::string& topic_id, int32_t partition) {
  const std::optional<TopicId> id = TopicId::FromBytes(topic_id);
  if (!id) {
    return MakeError(Reason::kInternal, base::StrCat("expected a topic id of 16 bytes, found ",
                                                     topic_id.size(), " bytes"));
  }
  return TopicPartition{.topic_id = *id, .partition = PartitionId(partition)};
}

absl::StatusOr<CommittedOffsets> ReadCommittedOffsets(
    const google::protobuf::RepeatedPtrField<v1::CommittedOffset>& offsets) {
  CommittedOffsets committed;
  for (const v1::CommittedOffset& offset : offsets) {
    if (!offset.has_offset()) continue;
    TALOSMQ_ASSIGN_OR_RETURN(const TopicPartition partition,
                             ReadGroupPartition(offset.topic_id(), offset.partition()));
    committed[partition] = {.offset = Offset(offset.offset()),
                            .epoch = LeaderEpoch(offset.leader_epoch_plus_one() - 1),
                            .metadata = offset.metadata(),
                            .committed_at = absl::FromUnixMillis(offset.committed_ms())};
  }
  return committed;
}

EndCommit CommitOffsets(ClientCore& core, GroupIdentity identity, std::vector<OffsetCommit> commits,
                        CommitDone done) {
  const auto commit =
      std::make_shared<Commit>(core, std::move(identity), std::move(commits), std::move(done));
  commit->Try();
  return [weak = std::weak_ptr(commit)](const absl::Status& why) {
    if (const auto alive = weak.lock()) alive->End(why);
  };
}

void FetchCommittedOffsets(ClientCore& core, std::string group,
                           std::vector<TopicPartition> partitions,
                           base::Callback<absl::StatusOr<CommittedOffsets>> done) {
  v1::FetchOffsetsRequest request;
  request.set_group(std::move(group));
  for (const TopicPartition& partition : partitions) {
    v1::GroupPartition& message = *request.add_partitions();
    message.set_topic_id(std::string(partition.topic_id.bytes()));
    message.set_partition(partition.partition.value());
  }
  core.executor().Post([&core, request = std::move(request), done = std::move(done)]() mutable {
    Retry<CommittedOffsets>::Start(
        core,
        [&core, request = std::move(request)](Retry<CommittedOffsets>::Done answer) {
          core.CallTyped<v1::FetchOffsetsResponse>(
              "/talosmq.v1.ConsumerService/FetchOffsets", request, CallPolicy::kAnyServer,
              [answer = std::move(answer)](
                  const absl::StatusOr<v1::FetchOffsetsResponse>& response) mutable {
                answer(response.ok() ? ReadCommittedOffsets(response->offsets())
                                     : absl::StatusOr<CommittedOffsets>(response.status()));
              });
        },
        std::move(done));
  });
}

}  // namespace talosmq::client
