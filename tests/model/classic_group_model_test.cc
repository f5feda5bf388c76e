// One classic group in virtual time: clients that join, lead, commit, pause, crash and leave, a
// coordinator that is made anew from what was committed, replies that are lost. What the clients
// are told must agree in every generation, also across coordinators.

#include "group/classic_group.h"
#include "support/manual_clock.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace talosmq::group {
namespace {

constexpr int kEvents = 100'000;
constexpr uint64_t kSeeds = 4;
constexpr uint64_t kSeedsLong = 200;
constexpr size_t kClients = 7;
constexpr absl::Duration kSession = absl::Seconds(10);
constexpr absl::Duration kPatience = absl::Seconds(45);  ///< With a call that is not answered.

class SeededRandom final : public base::Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t Next() override { return engine_(); }
  bool OneIn(uint64_t count) { return engine_() % count == 0; }
  size_t Below(size_t bound) { return engine_() % bound; }

 private:
  std::mt19937_64 engine_;
};

/// Whoever has an instance id stays the same when its member id, "<instance id>-<UUID>", changes.
std::string IdentityOf(const std::string& member_id) {
  constexpr size_t kUuidBytes = 37;
  if (!member_id.starts_with("instance")) return member_id;
  return member_id.substr(0, member_id.size() - kUuidBytes);
}

/// What all clients were ever told, by generation (G6 of the classic protocol).
class OneTruthPerGeneration {
 public:
  void OnJoined(const ClassicJoinReply& reply) {
    newest_id_of_[IdentityOf(reply.member_id)] = reply.member_id;
    Generation& generation = generations_[reply.generation];
    ExpectSame(generation.protocol, reply.protocol, "protocol", reply.generation);
    ExpectSame(generation.leader, IdentityOf(reply.leader), "leader", reply.generation);
    const bool is_leader = reply.leader == reply.member_id;
    EXPECT_EQ(!reply.members.empty(), is_leader) << "only the leader hears of the members";
  }

  void OnSynced(const std::string& id, int32_t generation, const ClassicSyncReply& reply) {
    assigned_ = std::max(assigned_, generation);
    Generation& truth = generations_[generation];
    ExpectSame(truth.protocol, reply.protocol, "protocol", generation);
    if (reply.assignment.empty()) return;  // The leader forgot it.
    // "<generation>/<number of the leader's call>/<identity>"
    const size_t first = reply.assignment.find('/');
    const size_t second = reply.assignment.find('/', first + 1);
    EXPECT_EQ(reply.assignment.substr(0, first), std::to_string(generation));
    EXPECT_EQ(reply.assignment.substr(second + 1), IdentityOf(id));
    ExpectSame(truth.call, reply.assignment.substr(first + 1, second - first - 1),
               "call of the leader", generation);
  }

  void OnCommitAccepted(const std::string& id, int32_t generation) {
    EXPECT_GE(generation, assigned_) << id << " committed from a stale generation";
    EXPECT_EQ(newest_id_of_[IdentityOf(id)], id) << "was taken over, and committed";
    ++commits_;
  }

  int32_t assigned() const { return assigned_; }
  int64_t commits() const { return commits_; }

 private:
  struct Generation {
    std::optional<std::string> protocol;
    std::optional<std::string> leader;
    std::optional<std::string> call;
  };

  static void ExpectSame(std::optional<std::string>& known, const std::string& told,
                         std::string_view what, int32_t generation) {
    if (!known) known = told;
    EXPECT_EQ(*known, told) << what << " of generation " << generation;
  }

  std::map<int32_t, Generation> generations_;
  std::map<std::string, std::string> newest_id_of_;
  int32_t assigned_ = 0;  ///< The newest generation of which somebody was told its assignment.
  int64_t commits_ = 0;
};

struct Client {
  enum class Phase { kOut, kJoining, kJoined, kSyncing, kStable };
  std::string name;
  std::string instance_id;
  Phase phase = Phase::kOut;
  std::string id;
  int32_t generation = -1;
  ClassicJoinReply joined;
  std::vector<ClassicProtocol> protocols = {{"range", ""}, {"sticky", ""}};
  uint64_t call = 0;  ///< The last one; answers to others are not listened to.
  absl::Duration called;
  absl::Duration wakes;  ///< Does nothing until then.
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    for (size_t i = 0; i < kClients; ++i) {
      Client& client = clients_.emplace_back();
      client.name = "client-" + std::to_string(i);
      if (i % 3 == 0) client.instance_id = "instance-" + std::to_string(i);
    }
    options_.initial_rebalance_delay = absl::Seconds(random_.Below(3));
    options_.members_max = kClients + 3;
    MakeCoordinator();
  }

  void Run() {
    for (int i = 0; i < kEvents && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("event " + std::to_string(i));
      Event();
    }
    if (testing::Test::HasFailure()) return;
    Settle();
    Restart();
    EXPECT_EQ(calls_, answers_) << "a call was answered twice, or never";
  }

  const OneTruthPerGeneration& truth() const { return truth_; }

 private:
  Now now() const { return {.monotonic = clock_.Monotonic(), .wall = clock_.Now()}; }

  void Event() {
    switch (random_.Below(40)) {
      case 0:
        return Pass(absl::Milliseconds(random_.Below(3000)));
      case 1:
        if (random_.OneIn(40)) Restart();
        return;
      case 2:
        return CommitWithOldPapers();
      case 3:
        return Trouble(clients_[random_.Below(kClients)]);
      default:
        Pass(absl::Milliseconds(random_.Below(60)));
        if (random_.OneIn(2)) return CommitLog();
        return Act(clients_[random_.Below(kClients)]);
    }
  }

  /// Pauses, crashes, leaves, or changes its mind.
  void Trouble(Client& client) {
    switch (random_.Below(12)) {
      case 0:
        client.wakes = clock_.Monotonic() + absl::Seconds(random_.Below(40));
        return;
      case 1:
        client.phase = Client::Phase::kOut;
        client.id.clear();
        ++client.call;
        return;
      case 2:
        return Leave(client);
      case 3:
        client.protocols = {{"range", std::to_string(calls_)}};
        if (random_.OneIn(2)) client.protocols.insert(client.protocols.begin(), {"sticky", ""});
        client.phase = Client::Phase::kOut;
        return;
      default:
        return;
    }
  }

  void Act(Client& client) {
    if (client.wakes > clock_.Monotonic()) return;
    switch (client.phase) {
      case Client::Phase::kOut:
        return Join(client);
      case Client::Phase::kJoining:
      case Client::Phase::kSyncing:
        if (clock_.Monotonic() - client.called > kPatience) client.phase = Client::Phase::kOut;
        return;
      case Client::Phase::kJoined:
        return Sync(client);
      case Client::Phase::kStable:
        return random_.OneIn(3) ? Commit(client) : Heartbeat(client);
    }
  }

  /// Number of a call of the client, which begins now.
  uint64_t Begin(Client& client) {
    client.called = clock_.Monotonic();
    ++calls_;
    return ++client.call;
  }
  /// Whether the client hears the answer to its call.
  bool Hears(const Client& client, uint64_t call) {
    ++answers_;
    return client.call == call && !(is_troubled_ && random_.OneIn(30));
  }

  void Join(Client& client) {
    client.phase = Client::Phase::kJoining;
    const uint64_t call = Begin(client);
    ClassicJoinRequest request{.group = "g",
                               .member_id = client.id,
                               .instance_id = client.instance_id,
                               .client_id = client.name,
                               .session_timeout = kSession,
                               .rebalance_timeout = absl::Seconds(20),
                               .protocol_type = "consumer",
                               .protocols = client.protocols};
    if (random_.OneIn(4)) request.first_join = ClassicJoinRequest::FirstJoin::kAdmit;
    Run([&](Output& output) {
      group_->Join(
          std::move(request), now(),
          [this, &client, call](ClassicJoinOutcome outcome) {
            OnJoined(client, call, std::move(outcome));
          },
          output);
    });
  }

  void OnJoined(Client& client, uint64_t call, ClassicJoinOutcome outcome) {
    if (outcome.status.ok()) truth_.OnJoined(outcome.reply);
    if (!Hears(client, call)) return;
    client.phase = Client::Phase::kOut;
    if (ReasonOf(outcome.status) == Reason::kMemberIdRequired) client.id = outcome.reply.member_id;
    if (!outcome.status.ok()) return ForgetIfUnknown(client, outcome.status);
    client.phase = Client::Phase::kJoined;
    client.id = outcome.reply.member_id;
    client.generation = outcome.reply.generation;
    client.joined = std::move(outcome.reply);
    papers_.emplace_back(&client, client.id, client.generation);
    if (papers_.size() > 50) papers_.pop_front();
  }

  void Sync(Client& client) {
    client.phase = Client::Phase::kSyncing;
    const uint64_t call = Begin(client);
    ClassicSyncRequest request{.group = "g",
                               .member_id = client.id,
                               .instance_id = client.instance_id,
                               .generation = client.generation};
    if (!client.joined.skips_assignment) {
      for (const ClassicJoinReply::Member& member : client.joined.members) {
        if (random_.OneIn(20)) continue;  // Is forgotten.
        request.assignments[member.member_id] = std::to_string(client.generation) + "/" +
                                                std::to_string(calls_) + "/" +
                                                IdentityOf(member.member_id);
      }
    }
    const int32_t generation = client.generation;
    const std::string id = client.id;
    Run([&](Output& output) {
      group_->Sync(
          std::move(request), now(),
          [this, &client, call, generation, id](absl::StatusOr<ClassicSyncReply> reply) {
            if (reply.ok()) truth_.OnSynced(id, generation, *reply);
            if (!Hears(client, call)) return;
            client.phase = reply.ok() ? Client::Phase::kStable : Client::Phase::kOut;
            ForgetIfUnknown(client, reply.status());
          },
          output);
    });
  }

  static void ForgetIfUnknown(Client& client, const absl::Status& status) {
    const Reason reason = ReasonOf(status);
    if (reason == Reason::kUnknownMember || reason == Reason::kMemberFenced) client.id.clear();
  }

  void Heartbeat(Client& client) {
    const uint64_t call = Begin(client);
    Run([&](Output& output) {
      group_->Heartbeat(
          {.group = "g",
           .member_id = client.id,
           .instance_id = client.instance_id,
           .generation = client.generation},
          now(),
          [this, &client, call](const absl::Status& status) {
            if (!Hears(client, call) || status.ok()) return;
            client.phase = Client::Phase::kOut;
            ForgetIfUnknown(client, status);
          },
          output);
    });
  }

  void Leave(Client& client) {
    if (client.id.empty()) return;
    const uint64_t call = Begin(client);
    const std::string id = std::exchange(client.id, "");
    client.phase = Client::Phase::kOut;
    Run([&](Output& output) {
      group_->Leave(
          {.group = "g", .members = {{.member_id = id, .instance_id = client.instance_id}}}, now(),
          [this, &client, call](const std::vector<absl::Status>& statuses) {
            EXPECT_EQ(statuses.size(), 1U);
            Hears(client, call);
          },
          output);
    });
  }

  void Commit(const Client& client) { Commit(client, client.id, client.generation); }

  /// Somebody who was asleep commits what it had then.
  void CommitWithOldPapers() {
    if (papers_.empty()) return;
    const auto& [client, id, generation] = papers_[random_.Below(papers_.size())];
    Commit(*client, id, generation);
  }

  void Commit(const Client& client, const std::string& id, int32_t generation) {
    const absl::Status checked = group_->CheckCommit(
        {.member_id = id, .generation = generation, .instance_id = client.instance_id}, now());
    if (!checked.ok()) return;
    truth_.OnCommitAccepted(id, generation);
  }

  void Pass(absl::Duration time) {
    clock_.Advance(time);
    if (group_->next_tick() > clock_.Monotonic()) return;
    Run([&](Output& output) { group_->Tick(now(), output); });
    EXPECT_GT(group_->next_tick(), clock_.Monotonic()) << "the group asks for the same moment";
  }

  template <typename Act>
  void Run(Act act) {
    Output output;
    act(output);
    for (const Change& change : output.changes) Apply(change, written_);
    in_flight_.push_back(std::move(output));
    const absl::Status checked = group_->Check();
    EXPECT_TRUE(checked.ok()) << checked;
    EXPECT_TRUE(group_->record() == written_.group) << "the group is not as in the log";
    EXPECT_TRUE(group_->members() == written_.members) << "the members are not as in the log";
  }

  /// The oldest batch that is under way is committed, and its replies leave.
  void CommitLog() {
    if (in_flight_.empty()) return;
    Output output = std::move(in_flight_.front());
    in_flight_.pop_front();
    for (const Change& change : output.changes) Apply(change, committed_);
    for (PendingReply& reply : output.replies) reply(absl::OkStatus());
  }

  struct Log {
    GroupRecord group;
    std::map<std::string, MemberRecord> members;
  };

  static void Apply(const Change& change, Log& log) {
    if (const auto* const group = std::get_if<GroupChange>(&change)) log.group = *group->value;
    const auto* const member = std::get_if<MemberChange>(&change);
    if (member == nullptr) return;
    log.members.erase(member->key.member);
    if (member->value) log.members[member->key.member] = *member->value;
  }

  /// The coordinator goes, and with it what is not committed; its callers are told so.
  void Restart() {
    const absl::Status moved = MakeError(Reason::kCoordinatorNotAvailable, "moved");
    Output abandoned;
    group_->Abandon(moved, abandoned);
    in_flight_.push_back(std::move(abandoned));
    for (Output& lost : in_flight_) {
      for (PendingReply& reply : lost.replies) reply(moved);
    }
    in_flight_.clear();
    MakeCoordinator();
  }

  void MakeCoordinator() {
    group_ = std::make_unique<ClassicGroup>(
        ClassicGroup::Context{.group = "g", .options = options_, .random = random_});
    written_ = committed_;
    if (written_.group != GroupRecord{}) group_->Replay(written_.group);
    for (const auto& [id, member] : written_.members) group_->Replay(id, member);
    group_->Start(now());
  }

  /// Without any more trouble all clients come to one stable generation.
  void Settle() {
    is_troubled_ = false;
    for (Client& client : clients_) client.protocols = {{"range", ""}};
    const auto is_settled = [this] {
      if (group_->members().size() != kClients) return false;
      return std::ranges::all_of(clients_, [this](const Client& client) {
        return client.phase == Client::Phase::kStable &&
               client.generation == group_->record().generation;
      });
    };
    const absl::Duration begin = clock_.Monotonic();
    while (clock_.Monotonic() < begin + absl::Minutes(5) &&
           !(group_->state() == GroupState::kStable && is_settled())) {
      Pass(absl::Milliseconds(50));
      for (Client& client : clients_) Act(client);
      while (!in_flight_.empty()) CommitLog();
    }
    EXPECT_TRUE(is_settled()) << "no common generation within five minutes of calm";
    while (!in_flight_.empty()) CommitLog();
  }

  SeededRandom random_;
  support::ManualClock clock_;
  CoordinatorOptions options_;
  std::unique_ptr<ClassicGroup> group_;
  std::vector<Client> clients_;
  /// Who was told which id and generation, not long ago.
  std::deque<std::tuple<const Client*, std::string, int32_t>> papers_;
  std::deque<Output> in_flight_;
  Log written_;
  Log committed_;
  OneTruthPerGeneration truth_;
  bool is_troubled_ = true;
  uint64_t calls_ = 0;
  uint64_t answers_ = 0;
};

TEST(ClassicGroupModelTest, ClientsOfOneGenerationAreToldTheSame) {
  const char* const chosen = std::getenv("TALOSMQ_TEST_SEED");
  const uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1;
  const char* const length = std::getenv("TALOSMQ_TEST_LENGTH");
  const bool is_long = length != nullptr && std::string_view(length) == "long";
  const uint64_t seeds = chosen != nullptr ? 1 : is_long ? kSeedsLong : kSeeds;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("TALOSMQ_TEST_SEED=" + std::to_string(seed));
    Simulation simulation(seed);
    simulation.Run();
    if (HasFailure()) return;
    EXPECT_GT(simulation.truth().assigned(), 100) << "hardly anything happened";
    EXPECT_GT(simulation.truth().commits(), 1000) << "hardly anything was committed";
  }
}

}  // namespace
}  // namespace talosmq::group
