// Members of one group in virtual time over the real coordinator core: joins, leaves, pauses, lost
// and late messages, crashes of the coordinator, growing topics, jumping wall clocks (G5, G6, G11).
// TALOSMQ_TEST_SEED=N runs one seed, TALOSMQ_TEST_LENGTH=long many.

#include "group/coordinator.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "model/group_world.h"

#include <algorithm>
#include <cstdlib>
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

/// What must hold of the whole group, whatever its members believe.
struct Truth {
  /// Everything below was processed by somebody.
  std::map<TopicPartition, int64_t> processed;
  /// The highest commit that was acknowledged.
  std::map<TopicPartition, int64_t> committed;
  /// When somebody last began to work on it.
  std::map<TopicPartition, std::pair<absl::Duration, int>> begun;
  int64_t accepted_commits = 0;
  int64_t refused_commits = 0;
  int64_t takeovers = 0;
};

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
  bool Holds(const TopicPartition& partition) const;

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
  void LoseAll();
  void AskOffset(const TopicPartition& partition);
  void Work();
  void Commit(const TopicPartition& partition, int64_t offset);

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
  explicit Simulation(uint64_t seed) : dice_(seed), coordinator_(schedule_, dice_) {
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

  /// Nobody else may be at work on it (G6).
  void CheckAlone(int number, const TopicPartition& partition) {
    for (size_t i = 0; i < members_.size(); ++i) {
      if (static_cast<int>(i) == number) continue;
      EXPECT_FALSE(members_[i]->Holds(partition))
          << "members " << number << " and " << i << " work on " << partition.ToString() << " at "
          << schedule_.now();
    }
  }

  Schedule& schedule() { return schedule_; }
  Dice& dice() { return dice_; }
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
  group::TopicCatalogue topics_;
  std::map<uint8_t, int32_t> partitions_;
  std::vector<std::unique_ptr<Member>> members_;
};

bool Member::IsLeased() const { return run_.schedule().now() < lease_end_; }
bool Member::IsPaused() const { return run_.schedule().now() < paused_until_; }

/// A paused one holds what it held until its lease ends, as it may wake up in the middle of it.
bool Member::Holds(const TopicPartition& partition) const {
  return is_running_ && IsLeased() && held_.contains(partition);
}

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
  if (run_.dice().OneIn(2)) return;  // Killed.
  run_.Send([id = id_, keeps = is_static_](group::Coordinator& coordinator, group::Now now) {
    return coordinator.Leave({.group = "g", .member_id = id, .keeps_partitions = keeps}, now,
                             [](const absl::Status&) {});
  });
}

void Member::Join() {
  ++life_;
  held_.clear();
  id_ = "m" + std::to_string(number_) + "-" + std::to_string(run_.dice().Next());
  sequence_ = 0;
  generation_ = 0;
  lease_end_ = absl::ZeroDuration();
  Beat();
}

void Member::LoseAll() { Join(); }

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
  if (generation_ == 0) {
    request.subscription = group::Subscription{.topics = {"orders-1"}, .patterns = {"orders-[23]"}};
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
  for (auto& [partition, held] : held_) {
    held.is_revoked = !std::ranges::binary_search(reply->assigned, partition);
  }
  for (const TopicPartition& partition : reply->assigned) {
    if (held_.contains(partition)) continue;
    run_.CheckAlone(number_, partition);
    held_.emplace(partition, Held());
    auto& [when, who] = run_.truth.begun[partition];
    if (who != number_) ++run_.truth.takeovers;
    when = run_.schedule().now();
    who = number_;
    AskOffset(partition);
  }
  Beat();
}

void Member::AskOffset(const TopicPartition& partition) {
  const int64_t known = run_.truth.committed[partition];
  run_.Send([this, life = life_, partition, known](group::Coordinator& coordinator,
                                                   group::Now now) {
    return coordinator.FetchOffsets(
        {.group = "g", .partitions = {{partition}}}, now,
        [this, life, partition, known](const absl::StatusOr<group::Offsets>& offsets) {
          if (!offsets.ok()) return;
          const auto found = offsets->find(partition);
          const int64_t offset = found == offsets->end() ? 0 : found->second.offset.value();
          EXPECT_GE(offset, known) << partition.ToString() << ": an acknowledged commit is gone";
          run_.Back([this, life, partition, offset] {
            const auto held = life == life_ ? held_.find(partition) : held_.end();
            if (held != held_.end() && !held->second.position) held->second.position = offset;
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
  run_.CheckAlone(number_, partition);
  if (held.position) {
    int64_t& processed = run_.truth.processed[partition];
    EXPECT_LE(*held.position, processed) << partition.ToString() << ": records were skipped";
    *held.position += 1 + run_.dice().Below(10);
    processed = std::max(processed, *held.position);
    if (held.commit_until <= run_.schedule().now() && run_.dice().OneIn(2)) {
      held.commit_until = run_.schedule().now() + absl::Seconds(11);
      Commit(partition, *held.position);
    }
  } else {
    AskOffset(partition);
  }
  if (!held.is_revoked) return;
  held_.erase(at);
  Beat();
}

void Member::Commit(const TopicPartition& partition, int64_t offset) {
  run_.Send([this, partition, offset, id = id_, generation = generation_, life = life_](
                group::Coordinator& coordinator, group::Now now) {
    group::CommitRequest request{.group = "g",
                                 .committer = {{.member_id = id, .generation = generation}}};
    request.offsets.push_back({.partition = partition, .value = {.offset = Offset(offset)}});
    const absl::Duration evaluated = now.monotonic;
    return coordinator.Commit(
        std::move(request), now,
        [this, life, partition, offset, evaluated](const std::vector<absl::Status>& outcomes) {
          run_.Back([this, life, partition] {
            const auto held = life == life_ ? held_.find(partition) : held_.end();
            if (held != held_.end()) held->second.commit_until = absl::ZeroDuration();
          });
          if (!outcomes.front().ok()) {
            ++run_.truth.refused_commits;
            return;
          }
          ++run_.truth.accepted_commits;
          const auto& [begun, who] = run_.truth.begun[partition];
          EXPECT_TRUE(who == number_ || begun > evaluated)
              << "member " << number_ << " committed " << partition.ToString()
              << ", which is that of member " << who;
          int64_t& committed = run_.truth.committed[partition];
          committed = std::max(committed, offset);
        });
  });
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
