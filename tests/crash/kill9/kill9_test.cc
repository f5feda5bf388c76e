#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/status.h"
#include "support/server_process.h"
#include "support/temporary_directory.h"
#include "talosmq/admin.h"
#include "talosmq/client.h"
#include "talosmq/producer.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kill9/record_ledger.h"
#include "kill9/stored_records.h"
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace talosmq::kill9 {
namespace {

constexpr int64_t kRecords = 63'000;
constexpr int32_t kPartitions = 4;
/// Small, so that many batches, groups and files are there to be cut in two.
constexpr int64_t kBatchBytes = 64 << 10;
constexpr absl::Duration kDumpTimeout = absl::Minutes(3);

int Rounds() {
  const char* const length = std::getenv("TALOSMQ_TEST_LENGTH");
  return length != nullptr && std::string(length) == "long" ? 20 : 3;
}

uint64_t Seed() {
  const char* const seed = std::getenv("TALOSMQ_TEST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : std::random_device()();
}

/// Blocks for a while; nobody signals.
void WaitFor(absl::Duration duration) {
  base::Mutex mutex;
  base::CondVar nobody_signals;
  const base::MutexLock lock(mutex);
  nobody_signals.WaitFor(mutex, duration);
}

/// A loopback address that nothing else on the machine uses: on the common one the kernel may give
/// the port away while the server is dead, even to the client that tries to reach it.
std::string OwnLoopbackHost() {
  const auto process = static_cast<uint32_t>(getpid());
  return absl::StrCat("127.", 64 + (process >> 16) % 128, ".", (process >> 8) % 256, ".",
                      1 + process % 254);
}

/// A server that is killed and started again on the same directory and the same port.
class MortalServer {
 public:
  explicit MortalServer(const std::string& data_dir) {
    options_.program = TALOSMQ_SERVER_PROGRAM;
    options_.data_dir = data_dir;
    options_.arguments = {"--set", absl::StrCat("grpc.listen=", OwnLoopbackHost(), ":0")};
    Start();
    // From now on clients find it where the kernel put it first.
    options_.arguments = {"--set", "grpc.listen=" + address()};
  }

  void KillAndRestart() {
    server_->Kill();
    Start();
  }
  std::string address() const { return server_->grpc_address(); }

 private:
  void Start() {
    auto server = support::ServerProcess::Start(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  support::ServerProcess::Options options_;
  std::unique_ptr<support::ServerProcess> server_;
};

/// Rounds over one data directory, so that each one recovers what the ones before left.
class Kill9Test : public testing::Test {
 protected:
  Kill9Test() : server_(directory_.path() + "/data") {
    ClientOptions options;
    options.server = server_.address();
    auto client = Client::Connect(std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    admin_ = Admin::Create(*client_);
  }

  void RunRound(int round, uint64_t seed);

  void CreateTopicAndDump();
  void ProduceWhileServerDies(RecordLedger& ledger, std::mt19937_64& random);
  void SendAll(RecordLedger& ledger);
  std::vector<StoredRecord> ReadBack();
  void CheckAgainstAnswers(const RecordLedger& ledger, const std::vector<StoredRecord>& stored);
  void CheckOrder(const RecordLedger& ledger, const std::vector<StoredRecord>& stored);
  void WaitForDump();
  void CheckDump(const std::vector<StoredRecord>& stored);
  void RemoveTopicAndDump();

  support::TemporaryDirectory directory_;
  MortalServer server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Admin> admin_;
  std::string name_;  ///< Of the round's topic, job and folder.
};

void Kill9Test::RunRound(int round, uint64_t seed) {
  SCOPED_TRACE("round " + std::to_string(round) + " TALOSMQ_TEST_SEED=" + std::to_string(seed));
  name_ = "round-" + std::to_string(round);
  std::mt19937_64 random(seed);
  RecordLedger ledger(kRecords, random());
  CreateTopicAndDump();
  ProduceWhileServerDies(ledger, random);
  // The job has work left now; dying in the midst of it must not cost a record either.
  WaitFor(absl::Milliseconds(std::uniform_int_distribution<int>(0, 1500)(random)));
  server_.KillAndRestart();
  const std::vector<StoredRecord> stored = ReadBack();
  CheckAgainstAnswers(ledger, stored);
  CheckOrder(ledger, stored);
  WaitForDump();
  CheckDump(stored);
  RemoveTopicAndDump();
}

void Kill9Test::CreateTopicAndDump() {
  NewTopic topic;
  topic.name = name_;
  topic.partitions = kPartitions;
  ASSERT_TRUE(admin_->CreateTopic(topic).ok());
  DumpDefinition dump;
  dump.name = name_;
  dump.topic = name_;
  dump.target = "file://" + directory_.path() + "/" + name_;
  dump.configs = {{"roll.records", "5000"}, {"roll.ms", "1000"}};
  const absl::Status created = admin_->CreateDump(dump);
  ASSERT_TRUE(created.ok()) << created;
}

void Kill9Test::ProduceWhileServerDies(RecordLedger& ledger, std::mt19937_64& random) {
  std::uniform_int_distribution<int64_t> moment(0, kRecords - 1);
  std::uniform_int_distribution<int> delay_us(0, 20'000);
  std::vector<int64_t> moments = {moment(random), moment(random)};
  std::sort(moments.begin(), moments.end());
  base::ThreadExecutor sender({.name = "kill9-sender"});
  sender.Post([this, &ledger] { SendAll(ledger); });
  for (const int64_t answers : moments) {
    ledger.WaitForAnswers(answers);
    WaitFor(absl::Microseconds(delay_us(random)));
    server_.KillAndRestart();
  }
  sender.Stop();
  const RecordLedger::Answers answers = ledger.answers();
  std::cout << name_ << ": killed after " << moments[0] << " and " << moments[1] << " answers; "
            << answers.acknowledged << " acknowledged, " << answers.failed << " not\n";
  // The producer is idempotent and has minutes to go on where the server died.
  EXPECT_EQ(answers.failed, 0) << answers.first_failure;
}

void Kill9Test::SendAll(RecordLedger& ledger) {
  ProducerOptions options;
  options.batch_bytes = kBatchBytes;
  // Less than all of it, so that sending, answering and dying go on at the same time.
  options.buffer_bytes = int64_t{8} << 20;
  options.on_delivery = [&ledger](std::span<const Delivery> batch) { ledger.Take(batch); };
  const auto producer = Producer::Create(*client_, name_, std::move(options));
  ASSERT_TRUE(producer.ok()) << producer.status();
  for (int64_t i = 0; i < ledger.records(); ++i) {
    Record record;
    record.value = ledger.ValueOf(i);
    const absl::Status accepted = (*producer)->Send(record, static_cast<uint64_t>(i));
    ASSERT_TRUE(accepted.ok()) << accepted;
  }
  (*producer)->Close().IgnoreError();  // Each record's own answer is in the ledger.
}

std::vector<StoredRecord> Kill9Test::ReadBack() {
  auto stored = ReadTopic(*client_, name_);
  EXPECT_TRUE(stored.ok()) << stored.status();
  return stored.ok() ? *std::move(stored) : std::vector<StoredRecord>();
}

/// Every acknowledged record stands at its acknowledged offset, whole.
void Kill9Test::CheckAgainstAnswers(const RecordLedger& ledger,
                                    const std::vector<StoredRecord>& stored) {
  std::map<std::pair<PartitionId, Offset>, const StoredRecord*> by_place;
  for (const StoredRecord& record : stored) by_place[{record.partition, record.offset}] = &record;
  int64_t lost = 0;
  int64_t altered = 0;
  for (const auto& [place, number] : ledger.answers().by_place) {
    const auto found = by_place.find(place);
    if (found == by_place.end()) {
      ++lost;
    } else if (found->second->value != ledger.ValueOf(number)) {
      ++altered;
    }
  }
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(altered, 0);
}

/// Offsets are dense, numbers rise within a partition, and no record is there twice.
void Kill9Test::CheckOrder(const RecordLedger& ledger, const std::vector<StoredRecord>& stored) {
  std::map<PartitionId, Offset> next_offset;
  std::map<PartitionId, int64_t> last_number;
  std::set<int64_t> seen;
  for (const StoredRecord& record : stored) {
    ASSERT_EQ(record.offset, next_offset[record.partition]);
    next_offset[record.partition] = record.offset + 1;
    const std::optional<int64_t> number = RecordNumberOf(record.value);
    ASSERT_TRUE(number.has_value()) << record.value.substr(0, 50);
    ASSERT_EQ(record.value, ledger.ValueOf(*number));
    ASSERT_TRUE(seen.insert(*number).second) << "record " << *number << " is there twice";
    const auto [last, is_first] = last_number.emplace(record.partition, *number);
    ASSERT_TRUE(is_first || last->second < *number)
        << "record " << *number << " comes after " << last->second;
    last->second = *number;
  }
}

void Kill9Test::WaitForDump() {
  const base::SystemClock clock;
  const absl::Duration give_up = clock.Monotonic() + kDumpTimeout;
  int64_t lag = -1;
  while (lag != 0) {
    const auto dump = admin_->DescribeDump(name_);
    ASSERT_TRUE(dump.ok()) << dump.status();
    ASSERT_EQ(dump->state, DumpState::kRunning) << dump->error;
    lag = 0;
    for (const DumpPartition& partition : dump->partitions) lag += partition.lag_records;
    ASSERT_LT(clock.Monotonic(), give_up) << "the dump job stands " << lag << " records behind";
    WaitFor(absl::Milliseconds(50));
  }
  const absl::Status paused = admin_->PauseDump(name_);
  ASSERT_TRUE(paused.ok()) << paused;
}

/// The published files hold exactly the topic's records, each in exactly one file.
void Kill9Test::CheckDump(const std::vector<StoredRecord>& stored) {
  const auto dumped = ReadDump(directory_.path() + "/" + name_);
  ASSERT_TRUE(dumped.ok()) << dumped.status();
  std::map<std::pair<PartitionId, Offset>, const StoredRecord*> by_place;
  for (const StoredRecord& record : *dumped) {
    const bool is_new =
        by_place.emplace(std::pair(record.partition, record.offset), &record).second;
    ASSERT_TRUE(is_new) << "offset " << record.offset.value() << " of partition "
                        << record.partition.value() << " is dumped twice";
  }
  EXPECT_EQ(dumped->size(), stored.size());
  for (const StoredRecord& record : stored) {
    const auto found = by_place.find({record.partition, record.offset});
    ASSERT_TRUE(found != by_place.end()) << "offset " << record.offset.value() << " of partition "
                                         << record.partition.value() << " is not dumped";
    ASSERT_EQ(found->second->value, record.value);
  }
}

void Kill9Test::RemoveTopicAndDump() {
  EXPECT_TRUE(admin_->DeleteDump(name_).ok());
  EXPECT_TRUE(admin_->DeleteTopic(name_).ok());
}

TEST_F(Kill9Test, NothingAcknowledgedIsLostMovedOrDoubled) {
  const uint64_t seed = Seed();
  std::cout << "TALOSMQ_TEST_SEED=" << seed << "\n";
  for (int round = 1; round <= Rounds() && !HasFailure(); ++round) {
    RunRound(round, seed + static_cast<uint64_t>(round));
  }
}

}  // namespace
}  // namespace talosmq::kill9
