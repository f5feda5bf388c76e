#include "crash/storage/scenario.h"

#include "talosmq/error.h"

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <optional>

namespace talosmq::storage {

using support::StorageWorld;

const TopicPartition Scenario::kOther{.topic_id = TopicId({9, 8, 7}), .partition = PartitionId(8)};

namespace {

bool IsFull(const absl::Status& status) { return ReasonOf(status) == Reason::kStorageFull; }

/// The reason of a failed sync is another one, since bytes may be stored.
bool SaysFull(const absl::Status& status) {
  return IsFull(status) || status.message().find("ENOSPC") != absl::string_view::npos;
}

}  // namespace

std::string NameOf(WayToDisk way) {
  switch (way) {
    case WayToDisk::kSegments:
      return "Segments";
    case WayToDisk::kJournal:
      return "Journal";
    case WayToDisk::kAwaited:
      return "Awaited";
  }
  return "";
}

Scenario::Scenario(WayToDisk way) {
  world_.log_options().segment_bytes = 6'000;
  world_.store_options().checkpoint_bytes = 9'000;
  if (way == WayToDisk::kSegments) return;
  world_.store_options().direct_logs_max = 0;
  world_.store_options().tail_cache_bytes_max = 16'000;  // A write-back at each 4,000 bytes.
  world_.store_options().journal_file_bytes = 16'384;
  if (way == WayToDisk::kJournal) return;
  world_.store_options().flush_group_bytes_max = 500;  // One batch, and a queue behind it.
  world_.store_options().awaited_bytes_min = 1;
  batches_min_ = 3;
}

void Scenario::Run() {
  if (!world_.Start().ok()) return;
  for (int i = 0; i < 8; ++i) Produce(i % 3 == 2 ? kOther : StorageWorld::kLog, 900);
  world_.Advance(absl::Seconds(2));
  for (int i = 0; i < 4; ++i) Produce(StorageWorld::kLog, 2'500);
  Trim(StorageWorld::kLog, Offset(5));
  if (world_.is_open()) (void)world_.Close();
  if (!world_.is_open() && world_.Open().ok()) Produce(StorageWorld::kLog, 50);
  world_.Kill();
  if (!world_.Start().ok()) return;
  for (int i = 0; i < 4; ++i) Produce(i % 2 == 0 ? kOther : StorageWorld::kLog, 1'500);
  Produce(kOther, 900, 5);  // In one group, and more than its segment holds.
  Retain(StorageWorld::kLog);
  world_.Advance(absl::Seconds(2));
  Retain(kOther);
  Produce(kOther, 200);
  world_.Run();
  (void)world_.Stop();
}

void Scenario::Verify() {
  world_.disk().SetFaultHook(nullptr);
  const absl::Status started = world_.Start();
  ASSERT_TRUE(started.ok()) << started;
  for (const TopicPartition& id : {StorageWorld::kLog, kOther}) {
    const auto report = world_.Open(id);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->damages.size(), 0U);
    Check(id);
    const Offset end = world_.log(id).durable_end();
    const auto next = world_.AppendDurably({.values = {"after " + std::to_string(++values_)}}, id);
    EXPECT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(next->base_offset, end);
  }
  world_.Kill();
}

void Scenario::VerifyOnFullDisk() {
  world_.Kill();
  const absl::Status started = world_.Start();
  is_started_ = started.ok();
  EXPECT_TRUE(is_started_ || SaysFull(started)) << started;
  if (!is_started_) return;
  for (const TopicPartition& id : {StorageWorld::kLog, kOther}) {
    const auto report = world_.Open(id);
    if (report.ok()) {
      EXPECT_EQ(report->damages.size(), 0U);
      Check(id);
    } else {
      EXPECT_TRUE(SaysFull(report.status())) << report.status();
    }
  }
}

void Scenario::GoOn() {
  if (!is_started_) return;
  world_.Advance(absl::Seconds(2));
  world_.Run();
  for (const TopicPartition& id : {StorageWorld::kLog, kOther}) {
    Produce(id, 300);  // May find the log fenced.
    const size_t before = acknowledged_count_;
    Produce(id, 300);
    EXPECT_EQ(acknowledged_count_, before + static_cast<size_t>(batches_min_)) << id.ToString();
    if (world_.is_open(id)) Check(id);
  }
  world_.Kill();
}

void Scenario::Check(const TopicPartition& id) {
  const auto log = world_.ReadAll(id);
  ASSERT_TRUE(log.ok()) << log.status();
  const Offset log_start = world_.log(id).log_start();
  EXPECT_GE(log_start, log_starts_[id]) << "a start that was acknowledged";
  EXPECT_EQ(world_.log(id).durable_end(), log_start + static_cast<int64_t>(log->size()));
  for (const absl::Status& holds :
       {durable_.Check(id, *log), order_.Check(id, log_start, *log), refused_.Check(id, *log)}) {
    EXPECT_TRUE(holds.ok()) << holds;
  }
}

void Scenario::Produce(const TopicPartition& id, size_t value_bytes, int batches) {
  std::map<std::string, absl::StatusOr<AppendResult>> appends;
  for (int i = 0; i < std::max(batches, batches_min_); ++i) {
    std::string value = std::to_string(++values_) + ":";
    value.resize(value_bytes, 'v');
    order_.Sent(id, value);
    appends.emplace(value, world_.Append({.values = {value}}, id));
  }
  world_.Run();
  absl::Status failed;
  for (const auto& [value, given] : appends) {
    const absl::Status told = given.ok() ? world_.last_told(id) : given.status();
    failed.Update(told);
    if (given.ok() && world_.log(id).durable_end() > given->last_offset) {
      durable_.Acknowledged(id, given->base_offset, value);
      acknowledged_[id].emplace(given->base_offset, value);
      ++acknowledged_count_;
    } else if (IsFull(told)) {
      refused_.Refused(id, value);
    }
  }
  // Opened again for the next one. It may be fenced for what came behind the acknowledgement.
  if (!failed.ok() && world_.is_open(id)) (void)world_.Close(id);
}

void Scenario::Trim(const TopicPartition& id, Offset log_start) {
  if (!world_.is_open(id) || world_.log(id).durable_end() < log_start) return;
  durable_.Trimming(id, log_start);
  const absl::Status moved = world_.MoveLogStart(log_start, id);
  if (moved.ok()) log_starts_[id] = log_start;
}

/// One log loses what its size does not leave room for, the other one begins a segment for its
/// age.
void Scenario::Retain(const TopicPartition& id) {
  if (!world_.is_open(id)) return;
  LogOptions options = world_.log_options();
  options.retention.bytes_max = id == kOther ? std::nullopt : std::optional<int64_t>(6'000);
  if (id == kOther) options.retention.age_max = absl::Seconds(1);
  world_.log(id).SetOptions(options);
  durable_.Trimming(id, world_.log(id).durable_end());
  if (!world_.ApplyRetention(id).ok()) return;
  log_starts_[id] = world_.log(id).log_start();
  for (const auto& [offset, value] : acknowledged_[id]) {
    if (offset >= log_starts_[id]) durable_.Acknowledged(id, offset, value);
  }
}

CompactionScenario::CompactionScenario(WayToDisk way) {
  world_.log_options().segment_bytes = 3'000;
  world_.log_options().compaction = CompactionRules{};
  if (way == WayToDisk::kJournal) world_.store_options().direct_logs_max = 0;
}

void CompactionScenario::Run() {
  if (!world_.Start().ok()) return;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10; ++i) Put("k" + std::to_string(i % 4));
    Put("once " + std::to_string(round));
    world_.Advance(absl::Seconds(2));
    world_.Run();
    if (world_.is_open()) (void)world_.Compact();
  }
  if (world_.is_open() && world_.log().durable_end() >= Offset(12)) {
    (void)world_.MoveLogStart(Offset(1));
  }
  Put("k0");
  (void)world_.Stop();
}

void CompactionScenario::Verify() {
  world_.disk().SetFaultHook(nullptr);
  const absl::Status started = world_.Start();
  ASSERT_TRUE(started.ok()) << started;
  const auto report = world_.Open();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->damages.empty()) << report->damages.front();
  Check();
  const auto next = world_.AppendDurably({.values = {"after"}, .keys = {"after"}});
  EXPECT_TRUE(next.ok()) << next.status();
  world_.Kill();
}

void CompactionScenario::VerifyOnFullDisk() {
  world_.Kill();
  absl::Status opened = world_.Start();
  is_started_ = opened.ok();
  if (is_started_) opened = world_.Open().status();
  EXPECT_TRUE(opened.ok() || SaysFull(opened)) << opened;
  if (opened.ok()) Check();
}

void CompactionScenario::GoOn() {
  if (!is_started_) return;
  world_.Advance(absl::Seconds(2));
  world_.Run();
  Put("k0");  // May find the log fenced.
  Put("after");
  EXPECT_TRUE(acknowledged_.contains("after"));
  if (!world_.is_open()) return;
  const absl::Status compacted = world_.Compact();
  EXPECT_TRUE(compacted.ok()) << compacted;
  Check();
  world_.Kill();
}

void CompactionScenario::Check() {
  const auto log = world_.ReadAll();
  ASSERT_TRUE(log.ok()) << log.status();
  std::map<Offset, std::string> found;
  for (const auto& record : *log) {
    EXPECT_TRUE(found.empty() || found.rbegin()->first < record.offset);
    EXPECT_EQ(record.value, appended_[record.offset]);
    found.emplace(record.offset, record.value);
  }
  for (const auto& [key, offset] : acknowledged_) {
    const bool is_superseded = std::ranges::any_of(found, [&](const auto& record) {
      return record.first > offset && keys_[record.first] == key;
    });
    EXPECT_TRUE(is_superseded || found.contains(offset)) << key << " at " << offset.value();
  }
}

void CompactionScenario::Put(const std::string& key) {
  std::string value = std::to_string(++values_) + ":";
  value.resize(900, 'v');
  const auto given = world_.Append({.values = {value}, .keys = {key}});
  if (given.ok()) {
    appended_[given->base_offset] = value;
    keys_[given->base_offset] = key;
  }
  world_.Run();
  if (!given.ok() || !world_.last_told().ok()) {
    if (world_.is_open()) (void)world_.Close();
  } else if (world_.log().durable_end() > given->base_offset) {
    acknowledged_[key] = given->base_offset;
  }
}

}  // namespace talosmq::storage
