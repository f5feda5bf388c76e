#include "client/group_member.h"

#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "base/text.h"
#include "client/retry.h"
#include "talosmq/error.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::client {
namespace {

constexpr absl::Duration kWaitMax = absl::Seconds(3);
/// Between two words about the same trouble.
constexpr absl::Duration kWarningInterval = absl::Seconds(30);
/// A coordinator that is made or loads, as for the first group of all, is no trouble.
constexpr absl::Duration kCoordinatorPatience = absl::Seconds(1);

std::vector<TopicPartition> ListOf(const std::set<TopicPartition>& partitions) {
  return {partitions.begin(), partitions.end()};
}

/// The request itself is wrong, or the group is not for this member: trying again cannot help.
bool IsRefusedForGood(Reason reason) {
  return reason < Reason::kNotLeader || reason == Reason::kClosed;
}

v1::Assignor WriteAssignor(Assignor assignor) {
  switch (assignor) {
    case Assignor::kSticky:
      return v1::ASSIGNOR_STICKY;
    case Assignor::kRange:
      return v1::ASSIGNOR_RANGE;
    case Assignor::kRoundRobin:
      return v1::ASSIGNOR_ROUND_ROBIN;
    case Assignor::kLagAware:
      return v1::ASSIGNOR_LAG_AWARE;
  }
  return v1::ASSIGNOR_STICKY;
}

}  // namespace

GroupMember::GroupMember(ClientCore& core, GroupOptions options,
                         std::weak_ptr<GroupMemberListener> listener)
    : core_(core),
      options_(std::move(options)),
      listener_(std::move(listener)),
      id_(base::NewTopicId(core.random()).ToString()),
      timeout_(core.options().request_timeout) {}

void GroupMember::Start() { BeatSoon(); }

void GroupMember::Subscribe(GroupSubscription subscription) {
  options_.subscription = std::move(subscription);
  ++subscription_number_;
  BeatSoon();
}

void GroupMember::Release(const std::vector<TopicPartition>& partitions) {
  AfterCommits([this, partitions] { ReleaseNow(partitions); });
}

void GroupMember::ReleaseNow(const std::vector<TopicPartition>& partitions) {
  std::vector<TopicPartition> back;
  bool owns_less = false;
  for (const TopicPartition& partition : partitions) {
    if (letting_go_.erase(partition) == 0) continue;
    lost_.erase(partition);
    if (assigned_.contains(partition)) {
      held_.insert(partition);
      back.push_back(partition);
    } else {
      owns_less = true;
    }
  }
  if (is_closed_) return;
  if (owns_less && generation_ != 0) BeatSoon();
  const auto listener = listener_.lock();
  if (!back.empty() && listener != nullptr) listener->OnAssigned(back);
}

absl::Status GroupMember::CheckCommit(const TopicPartition& partition) const {
  const auto refuse = [&](Reason reason, std::string_view why) {
    return MakeError(reason, base::StrCat("group ", options_.group, ": member ", id_, " has ", why,
                                          " partition ", partition.ToString()));
  };
  if (lost_.contains(partition)) return refuse(Reason::kUnknownMember, "lost");
  if (held_.contains(partition) || letting_go_.contains(partition)) return absl::OkStatus();
  return refuse(Reason::kNotOwner, "no");
}

void GroupMember::Commit(std::vector<OffsetCommit> commits, CommitDone done) {
  const absl::Status full =
      commits_.size() < kCommitsMax
          ? absl::OkStatus()
          : MakeError(Reason::kOverloaded, base::StrCat("group ", options_.group, ": ", kCommitsMax,
                                                        " commits wait, as many as may"));
  std::vector<absl::Status> outcomes;
  std::vector<OffsetCommit> sent;
  for (OffsetCommit& commit : commits) {
    outcomes.push_back(full.ok() ? CheckCommit(commit.partition) : full);
    if (outcomes.back().ok()) sent.push_back(std::move(commit));
  }
  if (sent.empty()) return done(std::move(outcomes));
  commits_.push_back(
      {.identity = {.group = options_.group, .member_id = id_, .generation = generation_},
       .commits = std::move(sent),
       .deadline = core_.clock().Monotonic() + timeout_,
       .done = [outcomes = std::move(outcomes),
                done = std::move(done)](const std::vector<absl::Status>& answered) mutable {
         auto answer = answered.begin();
         for (absl::Status& outcome : outcomes) {
           if (outcome.ok()) outcome = *answer++;
         }
         done(std::move(outcomes));
       }});
  if (!std::exchange(is_committing_, true)) CommitNext();
}

void GroupMember::AfterCommits(base::Task task) {
  commits_.push_back({.deadline = core_.clock().Monotonic() + timeout_,
                      .done = [task = std::move(task)](
                                  const std::vector<absl::Status>& /*none*/) mutable { task(); }});
  if (!std::exchange(is_committing_, true)) CommitNext();
}

void GroupMember::CommitNext() {
  while (!commits_.empty()) {
    PendingCommit& next = commits_.front();
    const size_t count = next.commits.size();
    if (count > 0 && core_.clock().Monotonic() < next.deadline) {
      end_commit_ = CommitOffsets(core_, std::move(next.identity), std::move(next.commits),
                                  [self = shared_from_this()](std::vector<absl::Status> outcomes) {
                                    self->OnCommitted(std::move(outcomes));
                                  });
      ArmCommitTimer();
      return;
    }
    CommitDone done = std::move(next.done);
    commits_.pop_front();
    done(std::vector<absl::Status>(count, TooLate()));
  }
  is_committing_ = false;
}

void GroupMember::OnCommitted(std::vector<absl::Status> outcomes) {
  end_commit_ = nullptr;
  core_.executor().Cancel(commit_timer_);
  CommitDone done = std::move(commits_.front().done);
  commits_.pop_front();
  done(std::move(outcomes));
  CommitNext();
}

void GroupMember::ArmCommitTimer() {
  core_.executor().Cancel(commit_timer_);
  const absl::Duration left = commits_.front().deadline - core_.clock().Monotonic();
  commit_timer_ = core_.executor().PostAfter(left, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || !self->end_commit_) return;
    // One that was posted before it was cancelled may be of an earlier commit.
    if (self->core_.clock().Monotonic() < self->commits_.front().deadline) return;
    std::exchange(self->end_commit_, nullptr)(self->TooLate());
  });
}

void GroupMember::SetTimeout(absl::Duration timeout) {
  timeout_ = timeout;
  const absl::Duration deadline = core_.clock().Monotonic() + timeout;
  for (PendingCommit& commit : commits_) commit.deadline = std::min(commit.deadline, deadline);
  if (end_commit_) ArmCommitTimer();
}

void GroupMember::EndCommits(const absl::Status& why) {
  std::deque<PendingCommit> ending = std::exchange(commits_, {});
  if (end_commit_) {
    commits_.push_back(std::move(ending.front()));
    ending.pop_front();
    std::exchange(end_commit_, nullptr)(why);
  }
  for (PendingCommit& commit : ending) {
    commit.done(std::vector<absl::Status>(commit.commits.size(), why));
  }
}

absl::Status GroupMember::TooLate() const {
  return MakeError(
      Reason::kDeadlineExceeded,
      base::StrCat("group ", options_.group, ": the coordinator did not answer within ",
                   base::FromAbsl(absl::FormatDuration(timeout_))));
}

void GroupMember::Leave(base::Callback<absl::Status> done) {
  const absl::Duration deadline = core_.clock().Monotonic() + timeout_;
  AfterCommits([self = shared_from_this(), deadline, done = std::move(done)]() mutable {
    self->SendLeave(deadline, std::move(done));
  });
}

void GroupMember::SendLeave(absl::Duration deadline, base::Callback<absl::Status> done) {
  const bool was_ever_there = sequence_ > 0;
  Close();
  if (!was_ever_there) return done(absl::OkStatus());
  v1::LeaveGroupRequest request;
  request.set_keeps_partitions(!options_.instance_id.empty());
  // Told once, by the answer or by the clock.
  const auto tell = std::make_shared<base::Callback<absl::Status>>(std::move(done));
  core_.executor().PostAfter(deadline - core_.clock().Monotonic(), [tell, late = TooLate()] {
    if (*tell) std::exchange(*tell, nullptr)(late);
  });
  CallLeave(std::move(request), [tell](const absl::Status& status) {
    if (*tell) std::exchange(*tell, nullptr)(status);
  });
}

void GroupMember::StayAway(const absl::Status& why) {
  if (is_closed_ || std::exchange(is_away_, true)) return;
  Lose(why);
  // A static member keeps nothing either: others are to read on.
  if (sequence_ > 0) CallLeave({}, [](const absl::Status& /*told when the lease ends*/) {});
}

void GroupMember::Return() {
  if (std::exchange(is_away_, false)) BeatSoon();
}

void GroupMember::CallLeave(v1::LeaveGroupRequest request, base::Callback<absl::Status> done) {
  request.set_group(options_.group);
  request.set_member_id(id_);
  using Response = v1::LeaveGroupResponse;
  Retry<Response>::Start(
      core_,
      [&core = core_, request](Retry<Response>::Done answer) {
        core.CallTyped<Response>("/talosmq.v1.ConsumerService/LeaveGroup", request,
                                 CallPolicy::kAnyServer, std::move(answer));
      },
      [done = std::move(done)](const absl::StatusOr<Response>& response) mutable {
        const bool is_gone = ReasonOf(response.status()) == Reason::kUnknownMember;
        done(is_gone ? absl::OkStatus() : response.status());
      });
}

void GroupMember::Close() {
  is_closed_ = true;
  core_.executor().Cancel(beat_timer_);
  core_.executor().Cancel(lease_timer_);
  lease_end_ns_ = kEnded;
  EndCommits(MakeError(Reason::kClosed,
                       base::StrCat("group ", options_.group, ": the consumer is closed")));
}

bool GroupMember::IsLive() const {
  const int64_t now = absl::ToInt64Nanoseconds(core_.clock().Monotonic());
  int64_t end = lease_end_ns_.load();
  while (end <= now) {
    if (end == kEnded || lease_end_ns_.compare_exchange_weak(end, kEnded)) return false;
  }
  return true;
}

void GroupMember::BeatSoon() {
  if (std::exchange(is_beat_posted_, true)) return;
  core_.executor().Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->is_beat_posted_ = false;
    self->Beat();
  });
}

void GroupMember::BeatAfter(absl::Duration pause) {
  core_.executor().Cancel(beat_timer_);
  beat_timer_ = core_.executor().PostAfter(pause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Beat();
  });
}

void GroupMember::Beat() {
  if (is_closed_ || is_away_) return;
  const absl::Duration now = core_.clock().Monotonic();
  absl::Duration wait = std::min({kWaitMax, options_.lease / 3, core_.answer_wait_max() / 2});
  // A renewal must come back well before the lease ends.
  if (generation_ != 0) {
    const absl::Duration left = absl::Nanoseconds(lease_end_ns_.load()) - now;
    wait = std::clamp(left / 2, absl::ZeroDuration(), wait);
    if (std::exchange(may_be_in_step_, false)) wait -= Jitter(wait, core_.random()) - wait / 2;
  }
  ++sequence_;
  subscription_sent_ = subscription_number_;
  core_.CallTyped<v1::HeartbeatResponse>(
      "/talosmq.v1.ConsumerService/Heartbeat", MakeHeartbeat(wait), CallPolicy::kHeartbeat,
      [weak = weak_from_this(), sequence = sequence_,
       now](const absl::StatusOr<v1::HeartbeatResponse>& response) {
        if (const auto self = weak.lock()) self->OnAnswer(sequence, now, response);
      });
  // An answer that is lost must not cost the lease.
  BeatAfter(wait + options_.lease / 6);
}

v1::HeartbeatRequest GroupMember::MakeHeartbeat(absl::Duration wait) const {
  v1::HeartbeatRequest request;
  request.set_group(options_.group);
  request.set_member_id(id_);
  request.set_sequence(sequence_);
  request.set_generation(generation_);
  request.set_instance_id(options_.instance_id);
  request.set_client_id(options_.client_id);
  if (generation_ == 0 || subscription_known_ != subscription_number_) {
    v1::GroupSubscription& message = *request.mutable_subscription();
    for (const std::string& topic : options_.subscription.topics) message.add_topics(topic);
    for (const std::string& pattern : options_.subscription.patterns) message.add_patterns(pattern);
    message.set_assignor(WriteAssignor(options_.assignor));
  }
  Partitions owned = held_;
  owned.insert(letting_go_.begin(), letting_go_.end());
  for (const TopicPartition& partition : owned) {
    v1::GroupPartition& message = *request.add_owned();
    message.set_topic_id(std::string(partition.topic_id.bytes()));
    message.set_partition(partition.partition.value());
  }
  request.set_lease_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.lease)));
  request.set_wait_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(wait)));
  return request;
}

void GroupMember::OnAnswer(uint64_t sequence, absl::Duration sent,
                           const absl::StatusOr<v1::HeartbeatResponse>& response) {
  if (is_closed_ || sequence != sequence_) return;
  if (response.ok()) {
    OnReply(sent, *response);
  } else {
    OnRefused(response.status());
  }
}

void GroupMember::OnReply(absl::Duration sent, const v1::HeartbeatResponse& reply) {
  Partitions assigned;
  for (const v1::GroupPartition& message : reply.assigned()) {
    const auto partition = ReadGroupPartition(message.topic_id(), message.partition());
    if (!partition.ok()) return OnRefused(partition.status());
    assigned.insert(*partition);
  }
  const absl::Duration lease_end = sent + absl::Milliseconds(reply.lease_ms());
  if (!RenewLease(lease_end)) {
    Lose(MakeError(Reason::kUnknownMember,
                   base::StrCat("group ", options_.group, ": the answer that renewed the lease of ",
                                "member ", id_, " came after its end")));
    return;
  }
  const bool is_news = reply.generation() != generation_ || assigned != assigned_;
  failures_ = 0;
  next_warning_ = absl::ZeroDuration();
  in_use_since_ = std::nullopt;
  generation_ = reply.generation();
  subscription_known_ = std::max(subscription_known_, subscription_sent_);
  const absl::Duration now = core_.clock().Monotonic();
  // A server that answers at once without news is not asked again at once.
  const absl::Duration wait = std::min({kWaitMax, options_.lease / 3, lease_end - now});
  if (is_news) {
    BeatSoon();
  } else {
    BeatAfter(std::clamp(sent + wait / 2 - now, absl::ZeroDuration(), wait));
  }
  Assign(std::move(assigned));
}

void GroupMember::Assign(Partitions assigned) {
  assigned_ = std::move(assigned);
  Partitions revoked;
  std::ranges::set_difference(held_, assigned_, std::inserter(revoked, revoked.end()));
  for (const TopicPartition& partition : revoked) held_.erase(partition);
  letting_go_.insert(revoked.begin(), revoked.end());
  Partitions added;
  for (const TopicPartition& partition : assigned_) {
    if (!letting_go_.contains(partition) && held_.insert(partition).second) added.insert(partition);
  }
  const auto listener = listener_.lock();
  if (listener == nullptr) return;
  if (!revoked.empty()) listener->OnRevoked(ListOf(revoked));
  if (!added.empty()) listener->OnAssigned(ListOf(added));
}

void GroupMember::OnRefused(const absl::Status& why) {
  const Reason reason = ReasonOf(why);
  if (reason == Reason::kUnknownMember || reason == Reason::kMemberFenced) {
    Lose(why);
    return;
  }
  if (IsRefusedForGood(reason)) {
    Fail(why);
    return;
  }
  const absl::Duration now = core_.clock().Monotonic();
  if (reason == Reason::kInstanceInUse) {
    // A place that is only vacant is free for another by then.
    if (now - in_use_since_.value_or(now) > 2 * options_.lease) return Fail(why);
    in_use_since_ = in_use_since_.value_or(now);
  }
  TellTrouble(why);
  may_be_in_step_ = true;
  BeatAfter(core_.PauseAfter(failures_++, why));
}

void GroupMember::TellTrouble(const absl::Status& why) {
  const absl::Duration now = core_.clock().Monotonic();
  if (failures_ == 0) failing_since_ = now;
  const bool may_be_starting = ReasonOf(why) == Reason::kCoordinatorNotAvailable &&
                               now - failing_since_ < kCoordinatorPatience;
  if (may_be_starting || now < next_warning_) return;
  next_warning_ = now + kWarningInterval;
  base::LogWarning("sdk", "group ", options_.group, ": member ", id_,
                   generation_ == 0 ? " cannot join yet: " : " cannot renew its lease yet: ",
                   base::FromAbsl(why.message()));
}

bool GroupMember::RenewLease(absl::Duration end) {
  int64_t known = lease_end_ns_.load();
  const absl::Duration now = core_.clock().Monotonic();
  const bool was_over = generation_ != 0 && absl::Nanoseconds(known) <= now;
  if (was_over || end <= now) return false;
  if (!lease_end_ns_.compare_exchange_strong(known, absl::ToInt64Nanoseconds(end))) return false;
  core_.executor().Cancel(lease_timer_);
  lease_timer_ =
      core_.executor().PostAfter(end - core_.clock().Monotonic(), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
          self->OnLeaseTimer();
        }
      });
  return true;
}

void GroupMember::OnLeaseTimer() {
  if (is_closed_ || generation_ == 0 || IsLive()) return;
  Lose(MakeError(
      Reason::kUnknownMember,
      base::StrCat("group ", options_.group, ": the lease of member ", id_, " (",
                   base::FromAbsl(absl::FormatDuration(options_.lease)), ") ended unrenewed")));
}

void GroupMember::Lose(const absl::Status& why) {
  base::LogWarning("sdk", base::FromAbsl(why.message()), "; joining anew");
  generation_ = 0;
  may_be_in_step_ = true;
  lease_end_ns_ = kEnded;
  core_.executor().Cancel(lease_timer_);
  // The answer of a heartbeat that is under way is not applied to what comes now.
  ++sequence_;
  assigned_.clear();
  letting_go_.insert(held_.begin(), held_.end());
  held_.clear();
  lost_ = letting_go_;
  EndCommits(MakeError(Reason::kUnknownMember, base::FromAbsl(why.message())));
  BeatAfter(core_.PauseAfter(failures_++, why));
  const std::vector<TopicPartition> lost = ListOf(letting_go_);
  const auto listener = listener_.lock();
  if (!lost.empty() && listener != nullptr) listener->OnLost(lost, why);
}

void GroupMember::Fail(const absl::Status& why) {
  Lose(why);
  Close();
  if (const auto listener = listener_.lock()) listener->OnFailed(why);
}

}  // namespace talosmq::client
