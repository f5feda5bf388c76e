// Members of one group in virtual time over the real coordinator core: joins, leaves, pauses, lost
// and late messages, crashes of the coordinator, growing topics, changed subscriptions, jumping
// wall clocks; resets, deletions, expiry, commits with old papers and visitors that speak the
// classic protocol (G5, G6, G11). TALOSMQ_TEST_SEED=N runs one seed, TALOSMQ_TEST_LENGTH=long many.

#include "group/coordinator.h"
#include "support/group_checkers.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "model/group_world.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <string_view>
#include <utility>

namespace talosmq::model {
namespace {

using group::HeartbeatReply;
using group::HeartbeatRequest;

constexpr uint64_t kSeeds = 8;
constexpr uint64_t kSeedsLong = 400;
constexpr int64_t kEvents = 100'000;
constexpr size_t kMembersMax = 8;
constexpr absl::Duration kLease = absl::Seconds(10);

TopicId Topic(uint8_t number) {
  std::array<uint8_t, 16> bytes{};
  bytes[15] = number;
  return TopicId(bytes);
}

/// What a member had in hand when it was told of it; or a partition that is not its own.
struct Papers {
  std::string member;
  int32_t generation = 0;
  TopicPartition partition;
};

/// What has happened in the whole group, whatever its members believe.
struct Truth {
  support::OffsetsChecker offsets;
  support::OneOwnerChecker owners;
  /// Everything below was processed by somebody.
  std::map<TopicPartition, int64_t> processed;
  std::map<TopicPartition, int> last_taker;
  std::deque<Papers> papers;
  int64_t accepted_commits = 0;
  int64_t refused_commits = 0;
  int64_t takeovers = 0;
};

void Expect(const absl::Status& holds) { EXPECT_TRUE(holds.ok()) << holds; }

class Simulation;

/// A well-behaved member: it works on what it was assigned, until its lease ends by its own clock.
class Member {
 public:
  Member(Simulation& run, int number, bool is_static)
      : run_(run), number_(number), is_static_(is_static) {}

  void Start();
  void Pause(absl::Duration by);
  void Leave();
  bool is_running() const { return is_running_; }
  /// A paused one works until its lease ends, as it may wake up in the middle of it.
  bool MayWork() const { return is_running_ && IsLeased(); }

 private:
  struct Held {
    std::optional<int64_t> position;  ///< Nothing: the committed offset is not known yet.
    bool is_revoked = false;
    /// Until then a commit may still be on its way: a later one could be overtaken by it.
    absl::Duration commit_until = absl::ZeroDuration();
  };

  bool IsLeased() const;
  bool IsPaused() const;
  void Join();
  void Beat();
  void OnReply(uint64_t sequence, absl::Duration sent, const absl::StatusOr<HeartbeatReply>& reply);
  /// Its lease has ended, or it is not known any more. Before it finds out it may commit once more.
  void LoseAll();
  void AskOffset(const TopicPartition& partition);
  void Work();

  Simulation& run_;
  const int number_;
  const bool is_static_;
  bool is_running_ = false;
  uint64_t life_ = 0;  ///< Callbacks of an earlier one are void.
  std::string id_;
  uint64_t sequence_ = 0;
  int32_t generation_ = 0;
  absl::Duration lease_end_ = absl::ZeroDuration();
  absl::Duration paused_until_ = absl::ZeroDuration();
  std::map<TopicPartition, Held> held_;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : dice_(seed),
        coordinator_(schedule_, dice_),
        assignor_(static_cast<group::Assignor>(seed % 4)) {
    for (size_t i = 0; i < kMembersMax; ++i) {
      members_.push_back(std::make_unique<Member>(*this, static_cast<int>(i), i % 4 == 3));
    }
  }

  void Go() {
    GrowTopics();
    Meddle();
    for (int64_t i = 0; i < kEvents && !testing::Test::HasFailure(); ++i) {
      ASSERT_TRUE(schedule_.RunNext());
    }
    CheckReplay();
    EXPECT_GT(truth.accepted_commits, 100);
    EXPECT_GT(truth.refused_commits, 0);
    EXPECT_GT(truth.takeovers, 10);
  }

  /// A message to the coordinator, which may be lost or late; so may be the answer that the event
  /// sends through Back().
  void Send(SimulatedCoordinator::Event event) {
    if (dice_.OneIn(30)) return;
    schedule_.After(Latency(), [this, event = std::move(event)] {
      coordinator_.Handle(event);
      if (dice_.OneIn(10)) CheckReplay();
    });
  }
  void Back(Schedule::Action action) {
    if (dice_.OneIn(30)) return;
    schedule_.After(Latency(), std::move(action));
  }

  /// A commit under these papers, whoever holds them by now; `done` when it is answered.
  void Commit(const Papers& papers, int64_t offset, Schedule::Action done) {
    Send([this, papers, offset, done = std::move(done)](group::Coordinator& coordinator,
                                                        group::Now now) {
      const auto& partition = papers.partition;
      group::CommitRequest request{
          .group = "g",
          .committer = {{.member_id = papers.member, .generation = papers.generation}}};
      request.offsets.push_back({.partition = partition, .value = {.offset = Offset(offset)}});
      const uint64_t number = truth.offsets.Asked(partition, offset);
      return coordinator.Commit(
          std::move(request), now,
          [this, papers, number, done,
           evaluated = now.monotonic](const std::vector<absl::Status>& outcomes) {
            Back(done);
            Settle(papers.partition, number, outcomes.front());
            ++(outcomes.front().ok() ? truth.accepted_commits : truth.refused_commits);
            if (!outcomes.front().ok()) return;
            Expect(truth.owners.Committed(papers.partition, papers.member, papers.generation,
                                          evaluated));
          });
    });
  }

  TopicPartition AnyPartition() {
    const std::vector<TopicPartition> all = AllPartitions();
    return all[static_cast<size_t>(dice_.Below(static_cast<int64_t>(all.size())))];
  }
  void Keep(Papers papers) {
    truth.papers.push_back(std::move(papers));
    if (truth.papers.size() > 50) truth.papers.pop_front();
  }

  Schedule& schedule() { return schedule_; }
  Dice& dice() { return dice_; }
  group::Assignor assignor() const { return assignor_; }
  Truth truth;

 private:
  absl::Duration Latency() {
    return dice_.OneIn(50) ? dice_.Milliseconds(100, 5000) : dice_.Milliseconds(0, 5);
  }

  void GrowTopics() {
    for (uint8_t i = 1; i <= 3; ++i) {
      partitions_[i] += static_cast<int32_t>(dice_.Below(4));
      if (partitions_[i] == 0) continue;
      const std::string name = "orders-" + std::to_string(i);
      topics_.by_name[name] = {.id = Topic(i), .partitions = partitions_[i]};
      topics_.name_of[Topic(i)] = name;
    }
    coordinator_.SetTopics(topics_);
  }

  void Settle(const TopicPartition& partition, uint64_t number, const absl::Status& outcome) {
    if (outcome.ok()) {
      truth.offsets.Acknowledged(partition, number);
    } else {
      truth.offsets.Refused(partition, number);
    }
  }

  std::vector<TopicPartition> AllPartitions() const {
    std::vector<TopicPartition> all;
    for (const auto& [topic, partitions] : partitions_) {
      for (int32_t i = 0; i < partitions; ++i) all.push_back({Topic(topic), PartitionId(i)});
    }
    return all;
  }
  bool AnybodyWorks() const {
    return std::ranges::any_of(members_, [](const auto& member) { return member->MayWork(); });
  }

  /// To something that was processed, with and without force.
  void Reset() {
    const TopicPartition partition = AnyPartition();
    const int64_t offset = dice_.Below(truth.processed[partition] + 1);
    const auto while_live = dice_.OneIn(3) ? group::ResetRequest::WhileLive::kRefuse
                                           : group::ResetRequest::WhileLive::kForce;
    Send([this, partition, offset, while_live](group::Coordinator& coordinator, group::Now now) {
      const uint64_t number = truth.offsets.Asked(partition, offset);
      return coordinator.Reset(
          {.group = "g", .offsets = {{partition, Offset(offset)}}, .while_live = while_live}, now,
          [this, partition, number,
           evaluated = now.monotonic](const std::vector<absl::Status>& outcomes) {
            Settle(partition, number, outcomes.front());
            if (outcomes.front().ok()) truth.owners.Reclaimed(partition, evaluated);
          });
    });
  }

  void Delete() {
    Send([this](group::Coordinator& coordinator, group::Now now) {
      std::map<TopicPartition, uint64_t> numbers;
      for (const TopicPartition& partition : AllPartitions()) {
        numbers[partition] = truth.offsets.Asked(partition, support::OffsetsChecker::kNothing);
      }
      return coordinator.Delete("g", now, [this, numbers](const absl::Status& outcome) {
        for (const auto& [partition, number] : numbers) Settle(partition, number, outcome);
      });
    });
  }

  /// By a clock that nobody sets. Offsets may go only while nobody may be at work.
  void Expire() {
    coordinator_.Handle([this](group::Coordinator& coordinator, group::Now now) {
      for (const TopicPartition& partition : AllPartitions()) {
        if (AnybodyWorks()) break;
        truth.offsets.Asked(partition, support::OffsetsChecker::kNothing);
      }
      return coordinator.Expire(SimulatedCoordinator::kWallBegin + now.monotonic);
    });
  }

  /// Somebody who is no member sets an offset that it has not seen change.
  void CommitAsNobody() {
    const TopicPartition partition = AnyPartition();
    const int64_t offset = dice_.Below(truth.processed[partition] + 1);
    Send([this, partition, offset](group::Coordinator& coordinator, group::Now now) {
      group::CommitRequest request{.group = "g"};
      request.offsets.push_back({.partition = partition, .value = {.offset = Offset(offset)}});
      if (offset % 2 == 0) request.offsets.front().expected = Offset(offset - 1);
      const uint64_t number = truth.offsets.Asked(partition, offset);
      return coordinator.Commit(std::move(request), now,
                                [this, partition, number, is_anybody = AnybodyWorks()](
                                    const std::vector<absl::Status>& outcomes) {
                                  Settle(partition, number, outcomes.front());
                                  EXPECT_FALSE(outcomes.front().ok() && is_anybody)
                                      << "nobody committed beside members";
                                });
    });
  }

  /// Somebody who was asleep commits what it had then.
  void CommitWithOldPapers() {
    if (truth.papers.empty()) return;
    const Papers& papers =
        truth.papers[static_cast<size_t>(dice_.Below(static_cast<int64_t>(truth.papers.size())))];
    Commit(papers, truth.processed[papers.partition], [] {});
  }

  /// Somebody speaks the classic protocol to the group; it may get in while nobody else is.
  void VisitClassic(const std::string& id) {
    Send([this, id](group::Coordinator& coordinator, group::Now now) {
      if (dice_.OneIn(3)) {
        return coordinator.ClassicHeartbeat({.group = "g", .member_id = id}, now,
                                            [](const absl::Status&) {});
      }
      return coordinator.Join(
          {.group = "g",
           .member_id = id,
           .client_id = "visitor",
           .protocol_type = "consumer",
           .protocols = {{"range", ""}}},
          now, [this](const group::ClassicJoinOutcome& outcome) {
            if (ReasonOf(outcome.status) != Reason::kMemberIdRequired) return;
            Back([this, told = outcome.reply.member_id] { VisitClassic(told); });
          });
    });
  }

  /// Somebody asks something of the group that its members do not know of.
  void Interfere() {
    switch (dice_.Below(8)) {
      case 0:
      case 1:
        return Reset();
      case 2:
        return Delete();
      case 3:
        return Expire();
      case 4:
        return CommitAsNobody();
      case 5:
        return VisitClassic("");
      case 6:
        coordinator_.Handle([this](group::Coordinator& coordinator, group::Now) {
          coordinator.OnLags({{"g", {{AnyPartition(), dice_.Below(1000)}}}});
          return group::Output();
        });
        return;
      default:
        return CommitWithOldPapers();
    }
  }

  /// Something happens to somebody, again and again.
  void Meddle() {
    Member& member = *members_[static_cast<size_t>(dice_.Below(kMembersMax))];
    if (!member.is_running()) {
      member.Start();
    } else if (dice_.OneIn(4)) {
      member.Leave();
    } else if (dice_.OneIn(2)) {
      member.Pause(dice_.Milliseconds(0, 30'000));
    }
    if (dice_.OneIn(2) && !AllPartitions().empty()) Interfere();
    if (dice_.OneIn(10)) coordinator_.Crash();
    if (dice_.OneIn(40)) GrowTopics();
    if (dice_.OneIn(20)) coordinator_.JumpWallClock(absl::Hours(dice_.Below(48) - 24));
    schedule_.After(dice_.Milliseconds(0, 4000), [this] { Meddle(); });
  }

  /// What the coordinator holds is what a replay of the log gives.
  void CheckReplay() {
    if (!coordinator_.is_settled()) return;
    std::map<std::string, group::EncodedChange> held;
    for (const group::Change& change : coordinator_.coordinator()->Snapshot()) {
      group::EncodedChange encoded = group::Encode(change);
      held.insert_or_assign(encoded.key, std::move(encoded));
    }
    const auto& folded = coordinator_.folded();
    EXPECT_EQ(held.size(), folded.size());
    for (const auto& [key, change] : folded) {
      EXPECT_TRUE(held.contains(key));
      EXPECT_EQ(held[key].value, group::Encode(change).value);
    }
  }

  Dice dice_;
  Schedule schedule_;
  SimulatedCoordinator coordinator_;
  const group::Assignor assignor_;
  group::TopicCatalogue topics_;
  std::map<uint8_t, int32_t> partitions_;
  std::vector<std::unique_ptr<Member>> members_;
};

bool Member::IsLeased() const { return run_.schedule().now() < lease_end_; }
bool Member::IsPaused() const { return run_.schedule().now() < paused_until_; }

void Member::Start() {
  is_running_ = true;
  Join();
  Work();
}

void Member::Pause(absl::Duration by) {
  paused_until_ = std::max(paused_until_, run_.schedule().now() + by);
}

void Member::Leave() {
  is_running_ = false;
  ++life_;
  held_.clear();
  run_.truth.owners.Gone(id_);
  if (run_.dice().OneIn(2)) return;  // Killed.
  run_.Send([id = id_, keeps = is_static_](group::Coordinator& coordinator, group::Now now) {
    return coordinator.Leave({.group = "g", .member_id = id, .keeps_partitions = keeps}, now,
                             [](const absl::Status&) {});
  });
}

void Member::Join() {
  ++life_;
  held_.clear();
  run_.truth.owners.Gone(id_);
  id_ = "m" + std::to_string(number_) + "-" + std::to_string(run_.dice().Next());
  sequence_ = 0;
  generation_ = 0;
  lease_end_ = absl::ZeroDuration();
  Beat();
}

void Member::LoseAll() {
  const auto held = held_.begin();
  if (held != held_.end() && held->second.position && run_.dice().OneIn(2)) {
    run_.Commit({id_, generation_, held->first}, *held->second.position, [] {});
  }
  Join();
}

void Member::Beat() {
  if (!is_running_) return;
  if (IsPaused()) {
    return run_.schedule().After(paused_until_ - run_.schedule().now(), [this, life = life_] {
      if (life == life_) Beat();
    });
  }
  if (generation_ > 0 && !IsLeased()) return LoseAll();
  HeartbeatRequest request{.group = "g",
                           .member_id = id_,
                           .sequence = ++sequence_,
                           .generation = generation_,
                           .client_id = "sim",
                           .lease = kLease};
  if (is_static_) request.instance_id = "instance-" + std::to_string(number_);
  if (generation_ == 0 || run_.dice().OneIn(20)) {
    request.subscription = group::Subscription{
        .topics = {"orders-1"}, .patterns = {"orders-[23]"}, .assignor = run_.assignor()};
    if (run_.dice().OneIn(4)) request.subscription->patterns.clear();
  }
  for (const auto& [partition, held] : held_) request.owned.push_back(partition);
  run_.Send([this, life = life_, sequence = sequence_, sent = run_.schedule().now(), request](
                group::Coordinator& coordinator, group::Now now) {
    return coordinator.Heartbeat(
        request, now, [this, life, sequence, sent](const absl::StatusOr<HeartbeatReply>& reply) {
          run_.Back([this, life, sequence, sent, reply] {
            if (life == life_) OnReply(sequence, sent, reply);
          });
        });
  });
  // The call is given up when no answer comes.
  run_.schedule().After(absl::Seconds(5), [this, life = life_, sequence = sequence_] {
    if (life == life_ && sequence == sequence_) Beat();
  });
}

void Member::OnReply(uint64_t sequence, absl::Duration sent,
                     const absl::StatusOr<HeartbeatReply>& reply) {
  if (sequence != sequence_ || !is_running_) return;
  if (IsPaused()) {
    return run_.schedule().After(paused_until_ - run_.schedule().now(),
                                 [this, life = life_, sequence, sent, reply] {
                                   if (life == life_) OnReply(sequence, sent, reply);
                                 });
  }
  if (generation_ > 0 && !IsLeased()) return LoseAll();
  if (!reply.ok()) {
    if (ReasonOf(reply.status()) == Reason::kUnknownMember) return LoseAll();
    return run_.schedule().After(absl::Milliseconds(200), [this, life = life_, sequence] {
      if (life == life_ && sequence == sequence_) Beat();
    });
  }
  if (sent + reply->lease <= run_.schedule().now()) return LoseAll();
  lease_end_ = sent + reply->lease;
  generation_ = reply->generation;
  run_.truth.owners.Leased(id_, lease_end_);
  if (!reply->assigned.empty() && run_.dice().OneIn(4)) {
    run_.Keep({id_, generation_, run_.AnyPartition()});
  }
  for (auto& [partition, held] : held_) {
    held.is_revoked = !std::ranges::binary_search(reply->assigned, partition);
  }
  for (const TopicPartition& partition : reply->assigned) {
    if (held_.contains(partition)) continue;
    held_.emplace(partition, Held());
    Expect(run_.truth.owners.Took(partition, id_, generation_, run_.schedule().now()));
    if (std::exchange(run_.truth.last_taker[partition], number_) != number_) ++run_.truth.takeovers;
    run_.Keep({id_, generation_, partition});
    AskOffset(partition);
  }
  Beat();
}

void Member::AskOffset(const TopicPartition& partition) {
  run_.Send([this, life = life_, partition](group::Coordinator& coordinator, group::Now now) {
    return coordinator.FetchOffsets(
        {.group = "g", .partitions = {{partition}}}, now,
        [this, life, partition](const absl::StatusOr<group::Offsets>& offsets) {
          if (!offsets.ok()) return;
          const auto found = offsets->find(partition);
          const int64_t offset = found == offsets->end() ? support::OffsetsChecker::kNothing
                                                         : found->second.offset.value();
          Expect(run_.truth.offsets.Check(partition, offset));
          run_.Back([this, life, partition, offset] {
            const auto held = life == life_ ? held_.find(partition) : held_.end();
            if (held == held_.end() || held->second.position) return;
            held->second.position = std::max(offset, int64_t{0});
          });
        });
  });
}

void Member::Work() {
  if (!is_running_) return;
  run_.schedule().After(run_.dice().Milliseconds(20, 400), [this] { Work(); });
  if (IsPaused() || !IsLeased() || held_.empty()) return;
  auto at = std::next(held_.begin(), run_.dice().Below(static_cast<int64_t>(held_.size())));
  auto& [partition, held] = *at;
  Expect(run_.truth.owners.Works(partition, id_, run_.schedule().now()));
  if (held.position) {
    int64_t& processed = run_.truth.processed[partition];
    EXPECT_LE(*held.position, processed) << partition.ToString() << ": records were skipped";
    *held.position += 1 + run_.dice().Below(10);
    processed = std::max(processed, *held.position);
    if (held.commit_until <= run_.schedule().now() && run_.dice().OneIn(2)) {
      held.commit_until = run_.schedule().now() + absl::Seconds(11);
      run_.Commit({id_, generation_, partition}, *held.position,
                  [this, life = life_, where = partition] {
                    const auto still = life == life_ ? held_.find(where) : held_.end();
                    if (still != held_.end()) still->second.commit_until = absl::ZeroDuration();
                  });
    }
  } else {
    AskOffset(partition);
  }
  if (!held.is_revoked) return;
  run_.truth.owners.LetGo(partition, id_);
  held_.erase(at);
  Beat();
}

TEST(GroupModelTest, EveryPartitionHasOneOwnerAndNoCommitIsLost) {
  const char* const seed = std::getenv("TALOSMQ_TEST_SEED");
  const char* const length = std::getenv("TALOSMQ_TEST_LENGTH");
  const bool is_long = length != nullptr && std::string_view(length) == "long";
  const uint64_t first = seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
  const uint64_t last = seed != nullptr ? first : is_long ? kSeedsLong : kSeeds;
  for (uint64_t i = first; i <= last && !HasFailure(); ++i) {
    SCOPED_TRACE("TALOSMQ_TEST_SEED=" + std::to_string(i));
    Simulation(i).Go();
  }
}

}  // namespace
}  // namespace talosmq::model
