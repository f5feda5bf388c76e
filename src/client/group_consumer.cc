#include "talosmq/group_consumer.h"

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "client/group_core.h"
#include "client/group_queue.h"
#include "client/group_reader.h"
#include "client/offset_lookup.h"
#include "client/option_checks.h"
#include "client/pending_result.h"
#include "client/polled_partition.h"
#include "talosmq/error.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

namespace talosmq {
namespace {

/// As of a Consumer's Poll.
constexpr int64_t kPollBytes = int64_t{1} << 20;
/// Of a destructor, which tells nobody how it went.
constexpr absl::Duration kDestroyTimeout = absl::Seconds(1);

/// A partition of this member.
struct Held {
  client::TopicImagePtr topic;
  client::PolledPartition polled;
  /// Handed over to be committed, or committed before; nothing: nothing is.
  std::optional<Offset> committed;
};
using HeldPartition = std::pair<const TopicPartition, Held>;

NamedPartition NameOf(const HeldPartition& held) {
  return {.topic = held.second.topic->name, .partition = held.first.partition};
}

/// The blocking face of a GroupReader. Positions belong to the polling thread; the executor is told
/// of them by posted wishes. Thread-compatible.
class BlockingGroupConsumer final : public GroupConsumer {
 public:
  BlockingGroupConsumer(client::ClientCore& client, GroupConsumerOptions options)
      : client_(client),
        options_(std::move(options)),
        fetch_options_(FetchOptions(options_)),
        reader_(std::make_shared<client::GroupReader>(client, fetch_options_, queue_)) {
    client::PendingResult<std::shared_ptr<client::GroupCore>> made;
    client_.executor().Post([this, done = made.callback()]() mutable {
      auto group = client::GroupCore::Create(client_, options_.member, reader_);
      group->Start();
      done(std::move(group));
    });
    group_ = made.Wait();
    const absl::Duration now = client_.clock().Monotonic();
    next_commit_ = now + options_.auto_commit_interval;
    reader_->SetBusySince(now);
  }

  ~BlockingGroupConsumer() override {
    TALOSMQ_CHECK(!client_.executor().IsCurrent() && !is_in_callback_)
        << "a consumer destroyed by a callback";
    if (!is_closed_) {
      BoundBy(client_.clock().Monotonic() +
              std::min(kDestroyTimeout, options_.member.close_timeout));
      Leave().IgnoreError();
    }
    client::PendingResult<bool> closed;
    client_.executor().Post([group = std::move(group_), reader = std::move(reader_),
                             done = closed.callback()]() mutable {
      group->Close();
      reader->Close();
      group = nullptr;
      reader = nullptr;
      done(true);
    });
    closed.Wait();
  }

  absl::Status Subscribe(GroupSubscription subscription) override {
    TALOSMQ_RETURN_IF_ERROR(CheckOpen());
    TALOSMQ_RETURN_IF_ERROR(client::CheckSubscription(subscription));
    client_.executor().Post([group = group_, subscription = std::move(subscription)]() mutable {
      group->Subscribe(std::move(subscription));
    });
    return absl::OkStatus();
  }

  absl::StatusOr<PolledGroupRecords> Poll(absl::Duration wait) override {
    TALOSMQ_RETURN_IF_ERROR(CheckOpen());
    TALOSMQ_RETURN_IF_ERROR(CheckNotInCallback("Poll"));
    ComeBack();
    absl::StatusOr<PolledGroupRecords> polled = PollOnce(wait);
    reader_->SetBusySince(client_.clock().Monotonic());
    return polled;
  }

  /// The application is at hand; a member that has left because it was not returns.
  void ComeBack() {
    const absl::Duration busy = client_.clock().Monotonic() - reader_->busy_since();
    reader_->SetBusySince(absl::InfiniteDuration());
    if (busy <= options_.member.poll_interval_max) return;
    client_.executor().Post([group = group_] { group->CheckPresence(); });
  }

  absl::StatusOr<PolledGroupRecords> PollOnce(absl::Duration wait) {
    const absl::Duration deadline = client_.clock().Monotonic() + wait;
    CommitWhenDue();
    PolledGroupRecords polled;
    int64_t bytes = 0;
    while (bytes < kPollBytes) {
      // What was polled is the application's before more is let go of or taken.
      if (polled.empty()) TALOSMQ_RETURN_IF_ERROR(HandleEvents());
      if (!pending_error_.ok() && polled.empty()) {
        return std::exchange(pending_error_, absl::OkStatus());
      }
      if (!pending_error_.ok()) break;
      const absl::Duration left =
          polled.empty() ? deadline - client_.clock().Monotonic() : absl::ZeroDuration();
      if (!group_->IsLive()) {
        if (left <= absl::ZeroDuration()) break;
        queue_->WaitForEvent(left);
        continue;
      }
      const std::optional<client::GroupChunk> chunk = queue_->TakeChunk();
      if (!chunk.has_value()) {
        if (left <= absl::ZeroDuration()) break;
        queue_->Wait(left);
        continue;
      }
      bytes += static_cast<int64_t>(chunk->chunk.records.size());
      Take(*chunk, polled);
    }
    ReturnCredit();
    return polled;
  }

  absl::Status Seek(const NamedPartition& partition, Position to) override {
    TALOSMQ_ASSIGN_OR_RETURN(HeldPartition* const held, Find(partition));
    const TopicPartition source = held->first;
    client::PendingResult<absl::StatusOr<std::vector<Offset>>> found;
    client::FindOffsets(client_, source.topic_id, {{.partition = source.partition, .position = to}},
                        found.callback());
    const absl::StatusOr<std::vector<Offset>> offsets = found.Wait();
    if (!offsets.ok()) return base::Annotate(offsets.status(), "topic " + partition.topic);
    client::PolledPartition& polled = held->second.polled;
    polled.position = offsets->front();
    polled.has_stopped = false;
    if (!polled.is_paused) Fetch(*held);
    return absl::OkStatus();
  }

  absl::Status Pause(const NamedPartition& partition) override {
    TALOSMQ_ASSIGN_OR_RETURN(HeldPartition* const held, Find(partition));
    client::PolledPartition& polled = held->second.polled;
    if (std::exchange(polled.is_paused, true)) return absl::OkStatus();
    PostHalt(held->first, polled.generation);
    polled.generation = ++last_generation_;
    return absl::OkStatus();
  }

  absl::Status Resume(const NamedPartition& partition) override {
    TALOSMQ_ASSIGN_OR_RETURN(HeldPartition* const held, Find(partition));
    client::PolledPartition& polled = held->second.polled;
    if (std::exchange(polled.is_paused, false) && !polled.has_stopped) Fetch(*held);
    return absl::OkStatus();
  }

  absl::Status CommitSync() override {
    TALOSMQ_RETURN_IF_ERROR(CheckOpen());
    return WaitForCommit(Uncommitted());
  }

  absl::Status CommitSync(const std::vector<OffsetToCommit>& offsets) override {
    TALOSMQ_ASSIGN_OR_RETURN(std::vector<client::OffsetCommit> commits, CommitsOf(offsets));
    return WaitForCommit(std::move(commits));
  }

  void CommitAsync(CommitCallback done) override {
    if (const absl::Status open = CheckOpen(); !open.ok()) {
      if (done) done(open);
      return;
    }
    PostCommit(Uncommitted(), std::move(done));
  }

  void CommitAsync(const std::vector<OffsetToCommit>& offsets, CommitCallback done) override {
    auto commits = CommitsOf(offsets);
    if (!commits.ok()) {
      if (done) done(commits.status());
      return;
    }
    PostCommit(*std::move(commits), std::move(done));
  }

  std::vector<GroupPosition> positions() const override {
    std::map<NamedPartition, GroupPosition> sorted;
    for (const HeldPartition& held : held_) {
      const NamedPartition name = NameOf(held);
      sorted[name] = {.partition = name,
                      .position = held.second.polled.position,
                      .high_watermark = held.second.polled.high_watermark};
    }
    std::vector<GroupPosition> positions;
    for (auto& [name, position] : sorted) positions.push_back(std::move(position));
    return positions;
  }

  absl::StatusOr<Offset> position(const NamedPartition& partition) const override {
    for (const HeldPartition& held : held_) {
      if (NameOf(held) == partition) return held.second.polled.position;
    }
    return NotHeld(partition);
  }

  absl::StatusOr<std::optional<CommittedOffset>> Committed(
      const NamedPartition& partition) override {
    TALOSMQ_ASSIGN_OR_RETURN(const HeldPartition* const held, Find(partition));
    client::PendingResult<absl::StatusOr<client::CommittedOffsets>> found;
    client::FetchCommittedOffsets(client_, options_.member.group, {held->first}, found.callback());
    TALOSMQ_ASSIGN_OR_RETURN(const client::CommittedOffsets committed, found.Wait());
    if (committed.empty()) return std::optional<CommittedOffset>();
    return std::optional<CommittedOffset>(committed.begin()->second);
  }

  int64_t skipped_records() const override { return skipped_records_; }

  absl::Status Close() override {
    TALOSMQ_RETURN_IF_ERROR(CheckOpen());
    TALOSMQ_RETURN_IF_ERROR(CheckNotInCallback("Close"));
    std::vector<TopicPartition> all;
    for (const auto& [partition, held] : held_) all.push_back(partition);
    const absl::Duration deadline = client_.clock().Monotonic() + options_.member.close_timeout;
    BoundBy(deadline);
    const absl::Status committed = options_.auto_commit ? CommitAtEnd() : absl::OkStatus();
    BoundBy(deadline);
    LetGo(all, options_.on_revoked);
    BoundBy(deadline);
    const absl::Status left = Leave();
    return committed.ok() ? left : committed;
  }

 private:
  static ConsumerOptions FetchOptions(const GroupConsumerOptions& options) {
    ConsumerOptions fetch;
    fetch.prefetch_bytes = options.prefetch_bytes;
    fetch.out_of_range = options.out_of_range;
    fetch.on_corrupt = options.on_corrupt;
    return fetch;
  }

  absl::Status CheckOpen() const {
    if (!is_closed_) return absl::OkStatus();
    return MakeError(Reason::kClosed,
                     base::StrCat("the consumer of group ", options_.member.group, " is closed"));
  }

  absl::Status CheckNotInCallback(std::string_view what) const {
    if (!is_in_callback_) return absl::OkStatus();
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("group ", options_.member.group, ": ", what, " in a callback"));
  }

  template <typename... Args>
  void Tell(const std::function<void(const Args&...)>& callback, const Args&... args) {
    if (!callback) return;
    is_in_callback_ = true;
    reader_->SetBusySince(client_.clock().Monotonic());
    callback(args...);
    ComeBack();
    is_in_callback_ = false;
  }

  absl::Status NotHeld(const NamedPartition& partition) const {
    return MakeError(
        Reason::kNotOwner,
        base::StrCat("group ", options_.member.group, ": partition ", partition.partition.value(),
                     " of topic ", partition.topic, " is not one of this member's ", held_.size()));
  }

  absl::StatusOr<HeldPartition*> Find(const NamedPartition& partition) {
    TALOSMQ_RETURN_IF_ERROR(CheckOpen());
    for (HeldPartition& held : held_) {
      if (NameOf(held) == partition) return &held;
    }
    return NotHeld(partition);
  }

  void Fetch(HeldPartition& held) {
    held.second.polled.generation = ++last_generation_;
    client_.executor().Post([reader = reader_, topic = held.first.topic_id,
                             wish = client::PartitionWish{.partition = held.first.partition,
                                                          .offset = held.second.polled.position,
                                                          .generation = last_generation_}] {
      reader->Seek(topic, wish);
    });
  }

  void PostHalt(const TopicPartition& partition, uint64_t generation) {
    client_.executor().Post(
        [reader = reader_, partition, generation] { reader->Halt(partition, generation); });
  }

  void Take(const client::GroupChunk& chunk, PolledGroupRecords& polled) {
    const TopicPartition source{.topic_id = chunk.topic, .partition = chunk.chunk.partition};
    credit_[source] += static_cast<int64_t>(chunk.chunk.records.size());
    const auto entry = held_.find(source);
    if (entry == held_.end()) return;
    Held& held = entry->second;
    client::TakenChunk taken =
        client::TakeChunk(chunk.chunk, *held.topic, fetch_options_, client_.metrics(), held.polled);
    skipped_records_ += taken.skipped_records;
    for (const SkippedOffsets& skipped : taken.skipped) {
      Tell(options_.on_skipped, held.topic->name, skipped);
    }
    for (RecordBatchView& batch : taken.batches) {
      polled.batches.push_back({.partition = NameOf(*entry), .records = std::move(batch)});
    }
    if (!taken.status.ok()) pending_error_ = taken.status;
    if (taken.must_halt) PostHalt(source, held.polled.generation);
  }

  void ReturnCredit() {
    if (credit_.empty()) return;
    client_.executor().Post([reader = reader_, credit = std::exchange(credit_, {})] {
      for (const auto& [partition, bytes] : credit) reader->ReturnCredit(partition, bytes);
    });
  }

  // What the member is told.

  absl::Status HandleEvents() {
    while (const std::optional<client::GroupEvent> event = queue_->TakeEvent()) {
      switch (event->kind) {
        case client::GroupEvent::Kind::kStarted:
          Take(event->started);
          break;
        case client::GroupEvent::Kind::kRevoked:
          GiveBack(event->partitions);
          break;
        case client::GroupEvent::Kind::kLost:
          LetGo(event->partitions, options_.on_lost);
          break;
        case client::GroupEvent::Kind::kFailed:
          failed_ = event->why;
          break;
      }
    }
    return failed_;
  }

  void Take(const std::vector<client::GroupStart>& started) {
    std::vector<NamedPartition> names;
    for (const client::GroupStart& start : started) {
      Held held{.topic = start.topic, .polled = {}, .committed = start.committed};
      held.polled.position = start.offset;
      names.push_back(NameOf(*held_.insert_or_assign(start.partition, std::move(held)).first));
    }
    Tell(options_.on_assigned, names);
    for (const client::GroupStart& start : started) {
      HeldPartition& held = *held_.find(start.partition);
      const bool is_fetched = held.second.polled.generation != 0;
      if (!is_fetched && !held.second.polled.is_paused) Fetch(held);
    }
  }

  void GiveBack(const std::vector<TopicPartition>& partitions) {
    if (options_.auto_commit && group_->IsLive()) {
      std::vector<client::OffsetCommit> commits = Uncommitted();
      std::erase_if(commits, [&](const client::OffsetCommit& commit) {
        return std::ranges::find(partitions, commit.partition) == partitions.end();
      });
      const absl::Status status = WaitForCommit(std::move(commits));
      if (!status.ok()) base::LogWarning("sdk", base::FromAbsl(status.message()));
    }
    LetGo(partitions, options_.on_revoked);
  }

  /// Of these what is still held: one may be revoked first, and then lost.
  void LetGo(const std::vector<TopicPartition>& partitions, const PartitionsCallback& callback) {
    std::vector<TopicPartition> going;
    std::vector<NamedPartition> names;
    for (const TopicPartition& partition : partitions) {
      const auto held = held_.find(partition);
      if (held == held_.end()) continue;
      going.push_back(partition);
      names.push_back(NameOf(*held));
    }
    if (going.empty()) return;
    Tell(callback, names);
    for (const TopicPartition& partition : going) held_.erase(partition);
    client_.executor().Post([group = group_, reader = reader_, going = std::move(going)] {
      for (const TopicPartition& partition : going) reader->Remove(partition);
      group->Release(going);
    });
  }

  /// All commits, and leaving, end by then.
  void BoundBy(absl::Duration deadline) {
    const absl::Duration left = deadline - client_.clock().Monotonic();
    client_.executor().Post(
        [group = group_, left = std::max(left, absl::ZeroDuration())] { group->SetTimeout(left); });
  }

  absl::Status Leave() {
    is_closed_ = true;
    held_.clear();
    client::PendingResult<absl::Status> left;
    client_.executor().Post([group = group_, reader = reader_, done = left.callback()]() mutable {
      reader->Close();
      group->Leave(std::move(done));
    });
    return left.Wait();
  }

  // Commits.

  std::vector<client::OffsetCommit> Uncommitted() {
    const bool has_failed = commit_failed_->exchange(false);
    std::vector<client::OffsetCommit> commits;
    for (const auto& [partition, held] : held_) {
      if (held.committed == held.polled.position && !has_failed) continue;
      commits.push_back({.partition = partition, .offset = held.polled.position});
    }
    return commits;
  }

  absl::StatusOr<std::vector<client::OffsetCommit>> CommitsOf(
      const std::vector<OffsetToCommit>& offsets) {
    std::vector<client::OffsetCommit> commits;
    for (const OffsetToCommit& offset : offsets) {
      TALOSMQ_ASSIGN_OR_RETURN(const HeldPartition* const held, Find(offset.partition));
      commits.push_back({.partition = held->first,
                         .offset = offset.offset,
                         .metadata = offset.metadata,
                         .expected = offset.expected});
    }
    return commits;
  }

  absl::Status CommitAtEnd() {
    std::vector<client::OffsetCommit> commits = Uncommitted();
    if (commits.empty()) return absl::OkStatus();
    if (group_->IsLive()) return WaitForCommit(std::move(commits));
    return MakeError(Reason::kUnknownMember,
                     base::StrCat("group ", options_.member.group, ": the lease has ended, and ",
                                  commits.size(), " partitions were not committed"));
  }

  void CommitWhenDue() {
    const absl::Duration now = client_.clock().Monotonic();
    if (!options_.auto_commit || now < next_commit_ || !group_->IsLive()) return;
    next_commit_ = now + options_.auto_commit_interval;
    PostCommit(Uncommitted(), [](const absl::Status& status) {
      if (!status.ok()) base::LogWarning("sdk", base::FromAbsl(status.message()));
    });
  }

  absl::Status WaitForCommit(std::vector<client::OffsetCommit> commits) {
    client::PendingResult<absl::Status> committed;
    PostCommit(std::move(commits),
               [done = std::make_shared<base::Callback<absl::Status>>(committed.callback())](
                   const absl::Status& status) { (*done)(status); });
    return committed.Wait();
  }

  void PostCommit(std::vector<client::OffsetCommit> commits, CommitCallback done) {
    for (const client::OffsetCommit& commit : commits) {
      held_.find(commit.partition)->second.committed = commit.offset;
    }
    client_.executor().Post([group = group_, failed = commit_failed_, commits = std::move(commits),
                             done = std::move(done)]() mutable {
      if (commits.empty()) {
        if (done) done(absl::OkStatus());
        return;
      }
      std::vector<TopicPartition> partitions;
      for (const client::OffsetCommit& commit : commits) partitions.push_back(commit.partition);
      group->Commit(std::move(commits),
                    [failed, partitions = std::move(partitions),
                     done = std::move(done)](const std::vector<absl::Status>& outcomes) {
                      const absl::Status status = client::FirstError(partitions, outcomes);
                      if (!status.ok()) *failed = true;
                      if (done) done(status);
                    });
    });
  }

  client::ClientCore& client_;
  const GroupConsumerOptions options_;
  const ConsumerOptions fetch_options_;
  const std::shared_ptr<client::GroupQueue> queue_ = std::make_shared<client::GroupQueue>();
  std::shared_ptr<client::GroupReader> reader_;
  std::shared_ptr<client::GroupCore> group_;
  std::map<TopicPartition, Held> held_;
  std::map<TopicPartition, int64_t> credit_;  ///< Taken, and not yet told to the servers.
  uint64_t last_generation_ = 0;
  int64_t skipped_records_ = 0;
  absl::Duration next_commit_ = absl::ZeroDuration();
  /// A commit failed: what was handed over may not be committed.
  const std::shared_ptr<std::atomic<bool>> commit_failed_ =
      std::make_shared<std::atomic<bool>>(false);
  absl::Status pending_error_;  ///< Of one partition, to be told by the next Poll.
  absl::Status failed_;         ///< The group refuses the member.
  bool is_closed_ = false;
  bool is_in_callback_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GroupConsumer>> GroupConsumer::Create(Client& client,
                                                                     GroupConsumerOptions options) {
  TALOSMQ_RETURN_IF_ERROR(client::CheckOptions(options));
  return std::make_unique<BlockingGroupConsumer>(client.core(), std::move(options));
}

}  // namespace talosmq
