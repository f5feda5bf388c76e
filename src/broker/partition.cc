#include "broker/partition.h"

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/epoch_claim.h"
#include "talosmq/error.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace talosmq::broker {

Partition::Partition(TopicPartition id, Assignment assignment, Dependencies dependencies)
    : id_(id),
      assignment_(std::move(assignment)),
      dependencies_(dependencies),
      log_(id, dependencies.options.partition,
           {.store = dependencies.log_store,
            .shard = dependencies.shard,
            .clock = dependencies.clock},
           *this),
      leader_(dependencies.options.id),
      epoch_(assignment_.image.epoch),
      pending_(dependencies.shard, dependencies.clock, dependencies.metrics,
               [this](const auto& append) { Refuse(*append, TooLate()); }),
      fetches_(dependencies.shard, dependencies.clock, dependencies.metrics,
               [this](WaitingFetch fetch) { AnswerNothing(fetch); }) {}

Partition::~Partition() {
  TALOSMQ_CHECK(parked_.empty()) << assignment_.name << ": " << parked_.size() << " parked";
}

void Partition::OnLogOpened() {
  const storage::PartitionLog& log = *log_.open();
  if (log.durable_end() < leader_.high_watermark()) {
    log_.Fence(MakeError(
        Reason::kCorruptData,
        base::StrCat("partition ", assignment_.name, ": expected committed records up to ",
                     leader_.high_watermark().value(), ", the log ends at ",
                     log.durable_end().value())));
    return;
  }
  log_.open()->SetOptions(assignment_.log_options);
  const auto& in_sync = assignment_.image.in_sync;
  leader_.Recovered({in_sync.begin(), in_sync.end()}, log.durable_end());
  for (auto& use : std::exchange(uses_, {})) {
    // One of them may have found the log broken.
    use(log_.open() != nullptr ? absl::OkStatus() : log_.trouble());
  }
  for (WaitingFetch& fetch : fetches_.TakeAll()) TryFetch(std::move(fetch));
  if (pending_.size() > 0) PrepareToLead();
}

void Partition::OnLogFailed(const absl::Status& status) { FailAll(status); }

void Partition::OnLogDurable() {
  if (leader_.is_leading()) Handle(leader_.LocalDurable(log_.durable_end()));
}

void Partition::OnLogDamaged(const absl::Status& damage) {
  if (!closed_.ok()) return;
  corrupt_.Note(damage);
  OpenDamage();
}

void Partition::PrepareToLead() {
  const absl::Status opened = log_.Open(assignment_.log_options);
  if (!opened.ok()) return FailPending(opened);
  if (log_.open() == nullptr || is_claiming_) return;
  is_claiming_ = true;
  const auto& epochs = log_.open()->epochs();
  const LeaderEpoch in_log = epochs.empty() ? kNoEpoch : epochs.back().epoch;
  ClaimLeaderEpoch(dependencies_.metadata_store,
                   {.partition = {.id = id_,
                                  .name = assignment_.name,
                                  .leader = assignment_.image.leader,
                                  .in_sync = assignment_.image.in_sync,
                                  .self = dependencies_.options.id},
                    .above = std::max(in_log, leader_.epoch())},
                   dependencies_.shard, [this](absl::StatusOr<LeaderEpoch> claimed) {
                     is_claiming_ = false;
                     OnEpochClaimed(claimed);
                   });
}

void Partition::OnEpochClaimed(const absl::StatusOr<LeaderEpoch>& claimed) {
  if (!closed_.ok()) return FinishClose();
  if (!claimed.ok()) return FailPending(claimed.status());
  storage::PartitionLog* log = log_.open();
  // The log failed meanwhile: the claimed epoch stays unused, the next append claims another.
  if (log == nullptr) return;
  const absl::Status begun = log->BeginEpoch(*claimed);
  if (!begun.ok()) return log_.Fence(begun);
  epoch_ = std::max(epoch_, *claimed);
  const auto& in_sync = assignment_.image.in_sync;
  replication::LeaderTerm term{.epoch = *claimed,
                               .in_sync = {in_sync.begin(), in_sync.end()},
                               .log_end = log->log_end(),
                               .durable_end = log->durable_end()};
  term.in_sync.insert(dependencies_.options.id);
  dependencies_.metrics.AddPartitionsLed(1);
  Handle(leader_.Begin(term));
  base::LogDebug("broker", "partition ", assignment_.name, ": leads under epoch ", claimed->value(),
                 " from offset ", log->log_end().value());
  RunPending();
}

void Partition::Adopt(Assignment assignment) {
  if (!closed_.ok()) return;
  assignment_ = std::move(assignment);
  OpenDamage();
  const metadata::PartitionImage& image = assignment_.image;
  const bool is_leader = image.leader == dependencies_.options.id;
  const bool is_superseded = image.epoch > epoch_;
  epoch_ = std::max(epoch_, image.epoch);
  if (log_.open() != nullptr) log_.open()->SetOptions(assignment_.log_options);
  if (is_leader && !is_superseded) return;
  const absl::Status status =
      MakeNotLeader(base::StrCat("partition ", assignment_.name, ": led by broker ",
                                 image.leader.value(), " under epoch ", image.epoch.value()),
                    assignment_.leader_address);
  EndTerm(status);
  if (!is_leader) FailWaiting(status);
}

void Partition::Stop(base::Task done) {
  closed_ = MakeError(Reason::kShuttingDown,
                      base::StrCat("partition ", assignment_.name, ": the broker is stopping"));
  // What is parked has its offset: closing the log makes it durable and answers it.
  FailWaiting(closed_);
  Close(std::move(done));
}

void Partition::Retire(base::Task done) {
  closed_ = MakeError(Reason::kTopicDeleting,
                      base::StrCat("partition ", assignment_.name, ": its topic is being deleted"));
  FailAll(closed_);
  Close(std::move(done));
}

void Partition::Close(base::Task done) {
  close_done_ = std::move(done);
  corrupt_.Clear();
  OpenDamage();
  log_.Shut([this] {
    is_log_shut_ = true;
    FinishClose();
  });
}

void Partition::FinishClose() {
  if (!is_log_shut_ || is_claiming_) return;
  EndTerm(MakeError(Reason::kStorageFenced,
                    base::StrCat("partition ", assignment_.name,
                                 ": the log closed before the append was known to be durable")));
  // In a task of its own: it may let go of the last reference to this partition.
  dependencies_.shard.Post(std::exchange(close_done_, nullptr));
}

std::vector<HealthProblem> Partition::CheckHealth() {
  const std::string object = base::StrCat("partition ", assignment_.name);
  std::vector<HealthProblem> problems;
  if (!log_.trouble().ok()) {
    problems.push_back({.object = object, .problem = std::string(log_.trouble().message())});
  }
  const std::string topic = assignment_.name.substr(0, assignment_.name.rfind('/'));
  const std::vector<CorruptRanges::Known> open = OpenDamage();
  const size_t told = std::min(open.size(), kRangesToldMax);
  for (const CorruptRanges::Known& damage : std::span(open).first(told)) {
    problems.push_back(
        {.object = object,
         .problem = base::StrCat(damage.what, "; `talosmq partition skip-corrupt ", topic, " ",
                                 id_.partition.value(), " --to ", damage.range.next.value(),
                                 "` lets readers pass over them")});
  }
  if (told < open.size()) {
    problems.push_back(
        {.object = object,
         .problem = base::StrCat(open.size() - told, " more damaged ranges, from offset ",
                                 open[told].range.first.value(), " on")});
  }
  return problems;
}

std::vector<CorruptRanges::Known> Partition::OpenDamage() {
  std::vector<CorruptRanges::Known> open = corrupt_.Open(log_start(), assignment_.image.skipped);
  const auto count = static_cast<int64_t>(open.size());
  dependencies_.metrics.AddCorruptRanges(count - std::exchange(open_damage_, count));
  return open;
}

absl::Status Partition::CheckEpoch(LeaderEpoch known) const {
  if (known == kNoEpoch || known == epoch_) return absl::OkStatus();
  const std::string message = base::StrCat("partition ", assignment_.name, ": leader epoch is ",
                                           epoch_.value(), ", the request knows ", known.value());
  return MakeError(known < epoch_ ? Reason::kFencedEpoch : Reason::kUnknownEpoch, message);
}

void Partition::FailAll(const absl::Status& status) {
  EndTerm(status);
  FailWaiting(status);
}

void Partition::EndTerm(const absl::Status& status) {
  if (!leader_.is_leading()) return;
  dependencies_.metrics.AddPartitionsLed(-1);
  Handle(leader_.End(status));
}

void Partition::FailWaiting(const absl::Status& status) {
  FailPending(status);
  for (WaitingFetch& fetch : fetches_.TakeAll()) RefuseFetch(fetch, status);
  for (auto& use : std::exchange(uses_, {})) use(status);
}

Offset Partition::log_start() const {
  return log_.open() == nullptr ? Offset(0) : log_.open()->log_start();
}

}  // namespace talosmq::broker
