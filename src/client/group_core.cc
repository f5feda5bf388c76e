#include "client/group_core.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "client/offset_lookup.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace talosmq::client {
namespace {

/// Whether the same position is another offset when records come or time goes by.
bool IsFleeting(const Position& position) {
  return std::holds_alternative<AtEnd>(position) || std::holds_alternative<absl::Time>(position);
}

}  // namespace

std::shared_ptr<GroupCore> GroupCore::Create(ClientCore& core, const GroupOptions& options,
                                             std::weak_ptr<GroupCoreListener> listener) {
  std::shared_ptr<GroupCore> group(new GroupCore(core, options, std::move(listener)));
  group->member_ = std::make_shared<GroupMember>(core, options, group);
  return group;
}

GroupCore::GroupCore(ClientCore& core, const GroupOptions& options,
                     std::weak_ptr<GroupCoreListener> listener)
    : core_(core),
      group_(options.group),
      start_(options.start),
      poll_interval_max_(options.poll_interval_max),
      listener_(std::move(listener)) {}

void GroupCore::Start() {
  member_->Start();
  WatchPresence();
}

void GroupCore::WatchPresence() {
  if (poll_interval_max_ == absl::InfiniteDuration()) return;
  core_.executor().PostAfter(poll_interval_max_ / 4, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->CheckPresence();
    self->WatchPresence();
  });
}

void GroupCore::CheckPresence() {
  const auto listener = listener_.lock();
  if (listener == nullptr) return;
  const absl::Duration busy = core_.clock().Monotonic() - listener->busy_since();
  if (busy <= poll_interval_max_) return member_->Return();
  member_->StayAway(MakeError(
      Reason::kUnknownMember,
      base::StrCat("group ", group_, ": the application is busy for more than poll_interval_max, ",
                   base::FromAbsl(absl::FormatDuration(poll_interval_max_)))));
}

void GroupCore::Leave(base::Callback<absl::Status> done) {
  lookups_.clear();
  member_->Leave(std::move(done));
}

void GroupCore::Close() {
  lookups_.clear();
  member_->Close();
}

void GroupCore::OnAssigned(const std::vector<TopicPartition>& partitions) {
  std::map<TopicId, std::vector<PartitionId>> by_topic;
  for (const TopicPartition& partition : partitions) {
    by_topic[partition.topic_id].push_back(partition.partition);
  }
  for (auto& [topic, numbers] : by_topic) {
    const uint64_t number = ++last_lookup_;
    lookups_[number] = {.topic = topic, .partitions = std::move(numbers)};
    FindTopic(number);
  }
}

void GroupCore::FindTopic(uint64_t number) {
  const auto lookup = lookups_.find(number);
  if (lookup == lookups_.end()) return;
  core_.metadata().Refresh(lookup->second.topic, [weak = weak_from_this(), number](
                                                     const absl::StatusOr<TopicImagePtr>& topic) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    if (!topic.ok()) return self->TryLater(number, topic.status());
    self->FindCommitted(number, *topic);
  });
}

void GroupCore::FindCommitted(uint64_t number, const TopicImagePtr& topic) {
  const auto lookup = lookups_.find(number);
  if (lookup == lookups_.end()) return;
  std::vector<TopicPartition> partitions;
  for (const PartitionId partition : lookup->second.partitions) {
    if (partition.value() >= static_cast<int32_t>(topic->partitions.size())) {
      TryLater(number, MakeError(Reason::kUnknownPartition,
                                 base::StrCat("topic ", topic->name, " has ",
                                              topic->partitions.size(), " partitions, as heard; ",
                                              partition.value(), " was assigned")));
      return;
    }
    partitions.push_back({.topic_id = topic->id, .partition = partition});
  }
  FetchCommittedOffsets(
      core_, group_, std::move(partitions),
      [weak = weak_from_this(), number, topic](const absl::StatusOr<CommittedOffsets>& committed) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        if (!committed.ok()) return self->TryLater(number, committed.status());
        self->FindStarts(number, topic, *committed);
      });
}

GroupCore::Wanted GroupCore::WantedStart(const TopicImage& topic, PartitionId partition,
                                         const CommittedOffsets& committed) const {
  const TopicPartition source{.topic_id = topic.id, .partition = partition};
  const auto known = committed.find(source);
  Wanted wanted{.partition = partition, .position = start_.otherwise, .committed = std::nullopt};
  if (known != committed.end()) wanted.committed = known->second.offset;
  const auto begun = begun_.find(source);
  const auto given = start_.given.find({.topic = topic.name, .partition = partition});
  if (begun == begun_.end() && start_.reset) {
    wanted.position = *start_.reset;
  } else if (begun == begun_.end() && given != start_.given.end()) {
    wanted.position = given->second;
  } else if (wanted.committed) {
    wanted.position = *wanted.committed;
  } else if (begun != begun_.end()) {
    wanted.position = begun->second;
  }
  return wanted;
}

void GroupCore::FindStarts(uint64_t number, const TopicImagePtr& topic,
                           const CommittedOffsets& committed) {
  const auto lookup = lookups_.find(number);
  if (lookup == lookups_.end()) return;
  std::vector<Wanted> wanted;
  std::vector<OffsetQuestion> questions;
  for (const PartitionId partition : lookup->second.partitions) {
    wanted.push_back(WantedStart(*topic, partition, committed));
    questions.push_back({.partition = partition, .position = wanted.back().position});
  }
  FindOffsets(core_, topic->id, std::move(questions),
              [weak = weak_from_this(), number, topic,
               wanted = std::move(wanted)](const absl::StatusOr<std::vector<Offset>>& starts) {
                const auto self = weak.lock();
                if (self == nullptr) return;
                if (!starts.ok()) return self->TryLater(number, starts.status());
                self->OnStarts(number, topic, wanted, *starts);
              });
}

void GroupCore::OnStarts(uint64_t number, const TopicImagePtr& topic, std::vector<Wanted> wanted,
                         const std::vector<Offset>& starts) {
  const auto lookup = lookups_.find(number);
  if (lookup == lookups_.end()) return;
  const std::vector<PartitionId>& still_wanted = lookup->second.partitions;
  std::vector<OffsetCommit> commits;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const bool is_fleeting = IsFleeting(std::exchange(wanted[i].position, starts[i]));
    if (!is_fleeting || wanted[i].committed) continue;
    if (std::ranges::find(still_wanted, wanted[i].partition) == still_wanted.end()) continue;
    wanted[i].committed = starts[i];
    commits.push_back({.partition = {.topic_id = topic->id, .partition = wanted[i].partition},
                       .offset = starts[i],
                       .expected = kNothingCommitted});
  }
  if (commits.empty()) return Tell(number, topic, wanted);
  member_->Commit(std::move(commits),
                  [weak = weak_from_this(), number, topic,
                   wanted = std::move(wanted)](const std::vector<absl::Status>& outcomes) {
                    const auto self = weak.lock();
                    if (self == nullptr) return;
                    const auto failed = std::ranges::find_if_not(outcomes, &absl::Status::ok);
                    // One that was committed after all is found when asked for again.
                    if (failed != outcomes.end()) return self->TryLater(number, *failed);
                    self->Tell(number, topic, wanted);
                  });
}

void GroupCore::Tell(uint64_t number, const TopicImagePtr& topic,
                     const std::vector<Wanted>& wanted) {
  const auto lookup = lookups_.find(number);
  if (lookup == lookups_.end()) return;
  const std::vector<PartitionId> still_wanted = std::move(lookup->second.partitions);
  lookups_.erase(lookup);
  std::vector<GroupStart> started;
  for (const Wanted& start : wanted) {
    if (std::ranges::find(still_wanted, start.partition) == still_wanted.end()) continue;
    const TopicPartition source{.topic_id = topic->id, .partition = start.partition};
    const Offset offset = std::get<Offset>(start.position);
    begun_.try_emplace(source, offset);
    started.push_back(
        {.topic = topic, .partition = source, .offset = offset, .committed = start.committed});
  }
  if (const auto listener = listener_.lock()) listener->OnStarted(std::move(started));
}

void GroupCore::TryLater(uint64_t number, const absl::Status& why) {
  const auto lookup = lookups_.find(number);
  if (lookup == lookups_.end()) return;
  base::LogDebug("sdk", "group ", group_, ": the start of its partitions of topic ",
                 lookup->second.topic.ToString(),
                 " is not known yet: ", base::FromAbsl(why.message()));
  core_.executor().PostAfter(core_.PauseAfter(lookup->second.failures++, why),
                             [weak = weak_from_this(), number] {
                               if (const auto self = weak.lock()) self->FindTopic(number);
                             });
}

std::vector<TopicPartition> GroupCore::ForgetLookups(
    const std::vector<TopicPartition>& partitions) {
  std::vector<TopicPartition> told;
  std::vector<TopicPartition> untold;
  for (const TopicPartition& partition : partitions) {
    bool was_looked_up = false;
    for (auto& [number, lookup] : lookups_) {
      if (lookup.topic != partition.topic_id) continue;
      was_looked_up |= std::erase(lookup.partitions, partition.partition) > 0;
    }
    (was_looked_up ? untold : told).push_back(partition);
  }
  std::erase_if(lookups_, [](const auto& lookup) { return lookup.second.partitions.empty(); });
  if (!untold.empty()) member_->Release(untold);
  return told;
}

void GroupCore::OnRevoked(const std::vector<TopicPartition>& partitions) {
  const std::vector<TopicPartition> told = ForgetLookups(partitions);
  const auto listener = listener_.lock();
  if (!told.empty() && listener != nullptr) listener->OnRevoked(told);
}

void GroupCore::OnLost(const std::vector<TopicPartition>& partitions, const absl::Status& why) {
  const std::vector<TopicPartition> told = ForgetLookups(partitions);
  const auto listener = listener_.lock();
  if (!told.empty() && listener != nullptr) listener->OnLost(told, why);
}

void GroupCore::OnFailed(const absl::Status& why) {
  if (const auto listener = listener_.lock()) listener->OnFailed(why);
}

}  // namespace talosmq::client
