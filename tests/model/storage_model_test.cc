// Random operations on several logs of the real storage code, each compared with a list of values,
// with kills, power cuts, failing calls and restarts in between (G1 to G4 of one node).

#include "storage/fence.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "model/log_model.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DiskCall;
using support::MemoryFileSystem;
using support::PowerCut;
using support::StorageWorld;

constexpr uint64_t kSeeds = 400;
constexpr uint64_t kSeedsLong = 20'000;
constexpr int kSteps = 300;

/// One log, what it must hold, and its one producer.
struct ModelledLog {
  LogModel model;
  int32_t next_sequence = 0;
  int64_t last_timestamp_ms = 1'000'000;
  bool is_failed = false;  ///< Fenced since it was opened.

  /// The last batch that was appended, to be sent again.
  struct Sent {
    support::BatchOf batch;
    Offset base;
    int32_t sequence = 0;
  };
  std::vector<Sent> sent;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    world_.store_options().tail_cache_bytes_max = Choose(2) == 0 ? 10'000 : 1 << 20;
    world_.store_options().flush_group_bytes_max = Choose(2) == 0 ? 5'000 : 1 << 20;
    world_.store_options().checkpoint_bytes = 20'000;
    world_.store_options().direct_logs_max = Choose(2) * kLogs;
    world_.store_options().awaited_bytes_min = Choose(3) == 0 ? 1 << 20 : 1;
    world_.store_options().journal_file_bytes = 16'384;
    world_.log_options().segment_bytes = 8'000 + static_cast<int64_t>(Choose(30'000));
    if (Choose(2) == 0) world_.log_options().retention.bytes_max = 10'000;
    if (Choose(2) == 0) world_.log_options().retention.age_max = absl::Seconds(10);
  }

  void Run() {
    Start();
    for (int step = 0; step < kSteps && !testing::Test::HasFatalFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      Step();
      if (testing::Test::HasFailure()) return;
    }
    Restart(PowerCut::DropUnsynced());
    for (int32_t i = 0; i < kLogs; ++i) CheckAll(Id(i));
  }

  /// That were sent to any log.
  int64_t records() const { return values_; }

 private:
  static constexpr int32_t kLogs = 3;

  /// Then a segment may be complete before anyone has seen to its index.
  bool has_journal() { return world_.store_options().direct_logs_max == 0; }
  uint64_t Choose(uint64_t below) { return random_() % below; }
  static TopicPartition Id(int32_t partition) {
    return {.topic_id = StorageWorld::kLog.topic_id, .partition = PartitionId(partition)};
  }
  TopicPartition AnyLog() { return Id(static_cast<int32_t>(Choose(kLogs))); }

  void Step() {
    const TopicPartition id = AnyLog();
    switch (Choose(26)) {
      case 0:
        return Restart(PowerCut::Random(random_()));
      case 1:
        return Kill();
      case 2:
        return Choose(3) == 0 ? Stop() : void();
      case 3:
        return Fail();
      case 4:
        return Advance();
      case 5:
        return Repeat(id);
      case 6:
      case 7:
        return FindByTime(id);
      case 8:
      case 9:
      case 10:
        return Read(id);
      case 11:
        return Reopen(id);
      case 12:
      case 13:
      case 14:
        return Flush();
      case 15:
        return world_.RunWithoutFlush();
      case 16:
      case 17:
        return FlushWithoutCheckpoint();
      case 18:
        return Trim(id);
      case 19:
        return Retain(id);
      default:
        return Append(id);
    }
  }

  void Start() {
    ASSERT_TRUE(world_.Start().ok());
    for (int32_t i = 0; i < kLogs; ++i) Open(Id(i));
  }

  void Open(const TopicPartition& id) {
    ModelledLog& log = logs_[id];
    const auto report = world_.Open(id);
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_EQ(report->damages.size(), 0U) << "a crash damages nothing that was durable";
    ASSERT_TRUE(has_journal() || report->indexes_rebuilt == 0)
        << "entries are durable before the point above them is";
    const absl::Status recovered =
        log.model.Recovered(world_.log(id).log_start(), world_.log(id).log_end());
    ASSERT_TRUE(recovered.ok()) << recovered;
    ASSERT_EQ(world_.log(id).durable_end(), world_.log(id).log_end());
    // What was cut was never acknowledged: its producer sends it again, or gives it up.
    while (!log.sent.empty() && log.sent.back().base >= log.model.end()) {
      log.next_sequence = log.sent.back().sequence;
      log.sent.pop_back();
    }
    log.is_failed = false;
  }

  /// What the listeners have heard by now.
  void NoteDurable() {
    for (auto& [id, log] : logs_) {
      if (!world_.is_open(id)) continue;
      log.is_failed = log.is_failed || !world_.last_told(id).ok();
      const absl::Status noted = log.model.Durable(world_.log(id).durable_end());
      ASSERT_TRUE(noted.ok()) << noted;
    }
  }

  void Restart(PowerCut cut) {
    world_.CutPower(cut);
    world_.disk().SetFaultHook(nullptr);
    Start();
  }

  void Kill() {
    world_.Kill();
    world_.disk().SetFaultHook(nullptr);
    Start();
  }

  void Stop() {
    world_.disk().SetFaultHook(nullptr);
    Flush();
    (void)world_.Stop();  // A log that a fault has fenced may say so; nothing is lost.
    world_.Kill();
    Start();
  }

  void Flush() {
    world_.Run();
    NoteDurable();
  }

  void FlushWithoutCheckpoint() {
    world_.RunWithoutCheckpoint();
    NoteDurable();
  }

  void FlushWithoutWriteBack() {
    world_.RunWithoutWriteBack();
    NoteDurable();
  }

  void Advance() {
    world_.Advance(absl::Milliseconds(Choose(3000)));
    Flush();
  }

  void Reopen(const TopicPartition& id) {
    world_.disk().SetFaultHook(nullptr);
    Flush();
    (void)world_.Close(id);
    Open(id);
  }

  void Fail() {
    static constexpr DiskCall kCalls[] = {
        DiskCall::kSync, DiskCall::kWrite,  DiskCall::kPreallocate, DiskCall::kSyncDirectory,
        DiskCall::kOpen, DiskCall::kRename, DiskCall::kSyncVolume};
    world_.disk().FailNth(
        kCalls[Choose(std::size(kCalls))], 1 + Choose(10),
        Choose(2) == 0 ? MemoryFileSystem::IoError("disk") : MemoryFileSystem::StorageFull("disk"));
  }

  support::BatchOf NewBatch(ModelledLog& log, std::vector<LogModel::Record>& records) {
    support::BatchOf batch;
    log.last_timestamp_ms += static_cast<int64_t>(Choose(20));
    batch.timestamp_ms = log.last_timestamp_ms;
    const size_t count = 1 + Choose(5);
    for (size_t i = 0; i < count; ++i) {
      std::string value = std::to_string(++values_) + ":";
      value.resize(value.size() + Choose(Choose(8) == 0 ? 6000 : 200), 'v');
      records.push_back({.value = value, .timestamp_ms = batch.timestamp_ms});
      batch.values.push_back(std::move(value));
    }
    batch.codec = Choose(3) == 0 ? record::Codec::kZstd : record::Codec::kNone;
    batch.producer = {
        .producer_id = ProducerId(5), .producer_epoch = 0, .base_sequence = log.next_sequence};
    return batch;
  }

  void Append(const TopicPartition& id) {
    ModelledLog& log = logs_[id];
    std::vector<LogModel::Record> records;
    const support::BatchOf batch = NewBatch(log, records);
    const auto appended = world_.Append(batch, id);
    if (!appended.ok()) {
      const Reason reason = ReasonOf(appended.status());
      ASSERT_TRUE(IsFenced(appended.status()) || reason == Reason::kOverloaded ||
                  reason == Reason::kBatchTooLarge)
          << appended.status();
      return;
    }
    ASSERT_FALSE(appended->is_duplicate);
    const absl::Status noted = log.model.Appended(appended->base_offset, records);
    ASSERT_TRUE(noted.ok()) << noted;
    log.sent.push_back(
        {.batch = batch, .base = appended->base_offset, .sequence = log.next_sequence});
    log.next_sequence += static_cast<int32_t>(records.size());
    switch (Choose(4)) {
      case 0:
        return Flush();
      case 1:
      case 2:
        return FlushWithoutWriteBack();
    }
  }

  /// A retry of one of the last five batches changes nothing (G4).
  void Repeat(const TopicPartition& id) {
    ModelledLog& log = logs_[id];
    if (log.sent.empty()) return;
    const size_t back = Choose(std::min<size_t>(5, log.sent.size()));
    const ModelledLog::Sent& sent = log.sent[log.sent.size() - 1 - back];
    const auto again = world_.Append(sent.batch, id);
    if (IsFenced(again.status())) return;
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_TRUE(again->is_duplicate);
    ASSERT_EQ(again->base_offset, sent.base);
  }

  void Read(const TopicPartition& id) {
    Flush();
    const LogModel& model = logs_[id].model;
    if (model.durable_end() == model.start()) return;
    const Offset offset = model.start() + AnyBelow(model.durable_end() - model.start());
    const auto read = world_.Read(offset, 1 + static_cast<int64_t>(Choose(20'000)), id);
    if (!read.ok() && IsInjected(read.status())) return;
    ASSERT_TRUE(read.ok()) << read.status();
    const auto records = support::RecordsIn(read->chunks, offset);
    ASSERT_FALSE(records.empty());
    ASSERT_EQ(records.back().offset + 1, read->next_offset);
    const absl::Status checked = model.CheckRead(offset, records);
    ASSERT_TRUE(checked.ok()) << checked;
  }

  int64_t AnyBelow(int64_t bound) {
    return static_cast<int64_t>(Choose(static_cast<uint64_t>(bound)));
  }

  void Trim(const TopicPartition& id) {
    ModelledLog& log = logs_[id];
    NoteDurable();
    const Offset start(AnyBelow(log.model.durable_end().value() + 1));
    log.model.Trimming(start);
    const absl::Status moved = world_.MoveLogStart(start, id);
    NoteDurable();
    if (moved.ok()) log.model.Trimmed(start);
    ASSERT_EQ(world_.log(id).log_start(), log.model.start());
  }

  /// Leaves the last segment or two.
  void Retain(const TopicPartition& id) {
    ModelledLog& log = logs_[id];
    NoteDurable();
    log.model.Trimming(log.model.durable_end());
    const Offset before = world_.log(id).log_start();
    const absl::Status applied = world_.ApplyRetention(id);
    NoteDurable();
    ASSERT_TRUE(applied.ok() || world_.log(id).log_start() == before);
    log.model.Trimmed(world_.log(id).log_start());
  }

  void FindByTime(const TopicPartition& id) {
    Flush();
    const ModelledLog& log = logs_[id];
    const int64_t time_ms =
        1'000'000 - 5 +
        static_cast<int64_t>(Choose(static_cast<uint64_t>(log.last_timestamp_ms - 1'000'000 + 10)));
    const auto found = world_.FindOffset(time_ms, id);
    if (!found.ok() && IsInjected(found.status())) return;
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(*found, log.model.FindOffset(time_ms)) << time_ms;
  }

  /// The failing call may have been one of a read.
  static bool IsInjected(const absl::Status& status) {
    return absl::StrContains(status.message(), "disk: E");
  }

  void CheckAll(const TopicPartition& id) {
    const auto records = world_.ReadAll(id);
    ASSERT_TRUE(records.ok()) << records.status();
    const LogModel& model = logs_[id].model;
    ASSERT_EQ(world_.log(id).log_start(), model.start());
    ASSERT_EQ(static_cast<int64_t>(records->size()), model.durable_end() - model.start());
    const absl::Status checked = model.CheckRead(model.start(), *records);
    ASSERT_TRUE(checked.ok()) << checked;
  }

  StorageWorld world_;
  std::map<TopicPartition, ModelledLog> logs_;
  std::mt19937_64 random_;
  int64_t values_ = 0;
};

TEST(StorageModelTest, LogsHoldWhatTheModelHolds) {
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
    ASSERT_GT(simulation.records(), 0) << "nothing was compared";
  }
}

}  // namespace
}  // namespace talosmq::storage
