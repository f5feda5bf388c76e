// Eight members of a group in processes of their own, killed in turn under load.

#include "support/child_process.h"
#include "support/server_process.h"
#include "support/temporary_directory.h"
#include "talosmq/admin.h"
#include "talosmq/producer.h"

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace talosmq {
namespace {

using support::ChildProcess;
using support::ServerProcess;

constexpr int kMembers = 8;
constexpr int32_t kPartitions = 16;
constexpr int64_t kRecordsPerRound = 10;  // For each partition, every kPause.
constexpr absl::Duration kPause = absl::Milliseconds(20);
constexpr absl::Duration kPatience = absl::Seconds(60);

/// A line of group_member.
struct Event {
  std::string what;
  int64_t time;  ///< ns, of the clock that all members share.
  int32_t partition;
  int64_t first;
  int64_t next;
};

/// One partition in the hands of one member.
struct Ownership {
  int64_t begin;  ///< As Event::time.
  int64_t start;  ///< The first offset that it was to read.
  std::vector<Event> events = {};
};

class Member {
 public:
  Member(const std::string& server, const std::string& topic, const std::string& output) {
    auto process = ChildProcess::Start(
        {.command = {TALOSMQ_GROUP_MEMBER_PROGRAM, server, topic}, .output_file = output});
    EXPECT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
  }

  std::vector<Event> Events() const {
    std::vector<Event> events;
    std::istringstream lines(process_->Output());
    for (std::string line; std::getline(lines, line) && !lines.eof();) {
      std::istringstream words(line);
      Event event = {};
      if (words >> event.what >> event.time >> event.partition >> event.first >> event.next) {
        events.push_back(std::move(event));
      } else if (!line.starts_with('[')) {  // As the lines of the SDK's own log do.
        ADD_FAILURE() << "a member says: " << line;
      }
    }
    return events;
  }
  std::set<int32_t> Owned() const {
    std::set<int32_t> owned;
    for (const Event& event : Events()) {
      if (event.what == "assigned") owned.insert(event.partition);
      if (event.what == "ended") owned.erase(event.partition);
    }
    return owned;
  }
  void Kill() {
    process_->Signal(SIGKILL);
    EXPECT_TRUE(process_->Wait(kPatience).ok());
  }

 private:
  std::unique_ptr<ChildProcess> process_;
};

using Members = std::vector<std::unique_ptr<Member>>;

std::vector<std::set<int32_t>> OwnedBy(const Members& members) {
  std::vector<std::set<int32_t>> owned;
  for (const auto& member : members) owned.push_back(member->Owned());
  return owned;
}

/// How many partitions the same member had before and has no more.
size_t Lost(const std::vector<std::set<int32_t>>& before,
            const std::vector<std::set<int32_t>>& after) {
  size_t lost = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    lost += static_cast<size_t>(std::ranges::count_if(
        before[i], [&](int32_t partition) { return !after[i].contains(partition); }));
  }
  return lost;
}

bool AllAreOwnedEvenly(const Members& members) {
  const size_t least = kPartitions / members.size();
  size_t total = 0;
  for (const auto& owned : OwnedBy(members)) {
    if (owned.size() < least || owned.size() > least + 1) return false;
    total += owned.size();
  }
  return total == kPartitions;
}

void Await(const std::function<bool()>& condition, const char* what) {
  const absl::Time end = absl::Now() + kPatience;
  while (!condition()) {
    ASSERT_LT(absl::Now(), end) << "waited in vain: " << what;
    absl::Notification never;
    never.WaitForNotificationWithTimeout(absl::Milliseconds(50));
  }
}

/// By partition and time.
std::map<int32_t, std::vector<Ownership>> Ownerships(const Members& members) {
  std::map<int32_t, std::vector<Ownership>> all;
  for (const auto& member : members) {
    std::map<int32_t, Ownership> current;
    const auto end = [&](int32_t partition) {
      const auto owned = current.extract(partition);
      if (!owned.empty()) all[partition].push_back(owned.mapped());
    };
    for (const Event& event : member->Events()) {
      if (event.what == "assigned") {
        end(event.partition);
        current[event.partition] = {.begin = event.time, .start = event.first};
      } else if (event.what == "ended") {
        end(event.partition);
      } else if (current.contains(event.partition)) {
        current[event.partition].events.push_back(event);
      }
    }
    while (!current.empty()) end(current.begin()->first);
  }
  for (auto& [partition, ownerships] : all) {
    std::ranges::sort(ownerships, {}, &Ownership::begin);
  }
  return all;
}

/// How far these have read.
int64_t End(const std::vector<Ownership>& ownerships) {
  int64_t end = 0;
  for (const Ownership& ownership : ownerships) {
    for (const Event& event : ownership.events) {
      if (event.what == "read") end = std::max(end, event.next);
    }
  }
  return end;
}

/// Each owner reads without a gap from where it began, which is not before what had been committed
/// by then and not behind what others had read.
void CheckPartition(int32_t partition, const std::vector<Ownership>& ownerships) {
  std::vector<Event> commits;
  int64_t read = 0;
  for (const Ownership& ownership : ownerships) {
    int64_t committed = 0;
    for (const Event& commit : commits) {
      if (commit.time < ownership.begin) committed = std::max(committed, commit.next);
    }
    EXPECT_GE(ownership.start, committed)
        << "committed work is done again, partition " << partition;
    EXPECT_LE(ownership.start, read) << "records are skipped, partition " << partition;
    int64_t next = ownership.start;
    for (const Event& event : ownership.events) {
      if (event.what == "committed") {
        EXPECT_LE(event.next, next) << "partition " << partition;
        commits.push_back(event);
      } else {
        EXPECT_EQ(event.what, "read");
        EXPECT_EQ(event.first, next) << "partition " << partition;
        next = event.next;
      }
    }
    read = std::max(read, next);
  }
}

TEST(GroupKillTest, NothingIsSkippedAndOnlyUncommittedWorkIsDoneAgain) {
  const support::TemporaryDirectory directory;
  auto server = ServerProcess::Start(
      {.program = TALOSMQ_SERVER_PROGRAM, .data_dir = directory.path() + "/data", .arguments = {}});
  ASSERT_TRUE(server.ok()) << server.status();
  auto client = Client::Connect({.server = (*server)->grpc_address()});
  ASSERT_TRUE(client.ok()) << client.status();
  const std::string topic = "load";
  const auto admin = Admin::Create(**client);
  ASSERT_TRUE(
      admin->CreateTopic({.name = topic, .partitions = kPartitions, .replicas = {}, .configs = {}})
          .ok());

  int started = 0;
  const auto start_member = [&] {
    return std::make_unique<Member>((*server)->grpc_address(), topic,
                                    directory.path() + "/member-" + std::to_string(started++));
  };

  std::atomic<bool> is_over = false;
  std::atomic<int64_t> sent = 0;  // To each partition.
  std::jthread load([&] {
    auto producer = Producer::Create(**client, topic, {});
    ASSERT_TRUE(producer.ok()) << producer.status();
    while (!is_over) {
      for (int64_t i = 0; i < kRecordsPerRound; ++i, ++sent) {
        const std::string value = std::to_string(sent);
        for (int32_t partition = 0; partition < kPartitions; ++partition) {
          ASSERT_TRUE((*producer)->Send(PartitionId(partition), {.value = value}, 0).ok());
        }
      }
      absl::Notification never;
      never.WaitForNotificationWithTimeout(kPause);
    }
    EXPECT_TRUE((*producer)->Flush().ok());
  });

  Members living;
  Members dead;
  for (int i = 0; i < kMembers; ++i) living.push_back(start_member());
  size_t moved = 0;
  Await([&] { return AllAreOwnedEvenly(living); }, "the first shares");
  for (int round = 0; round < kMembers && !testing::Test::HasFailure(); ++round) {
    const auto victim = living.begin();
    const size_t freed = (*victim)->Owned().size();
    (*victim)->Kill();
    dead.push_back(std::move(*victim));
    living.erase(victim);
    const auto before = OwnedBy(living);
    Await([&] { return AllAreOwnedEvenly(living); }, "the survivors take over");
    const auto between = OwnedBy(living);
    EXPECT_EQ(Lost(before, between), 0U) << "only what the dead member had moves";
    living.push_back(start_member());
    Await([&] { return AllAreOwnedEvenly(living); }, "the new member's share");
    const size_t given = living.back()->Owned().size();
    EXPECT_EQ(Lost(between, OwnedBy(living)), given) << "only what the new member gets moves";
    moved += freed + given;
  }
  EXPECT_EQ(moved, size_t{2} * kMembers * (kPartitions / kMembers));
  is_over = true;
  load.join();

  std::ranges::move(living, std::back_inserter(dead));
  const auto all_is_read = [&] {
    const auto ownerships = Ownerships(dead);
    return std::ranges::all_of(
        ownerships, [&](const auto& partition) { return End(partition.second) >= sent; });
  };
  Await(all_is_read, "everything is read");
  for (const auto& [partition, ownerships] : Ownerships(dead)) {
    CheckPartition(partition, ownerships);
    EXPECT_EQ(End(ownerships), sent) << "partition " << partition;
  }
}

}  // namespace
}  // namespace talosmq
