#pragma once

#include "broker/broker.h"
#include "controller/topic_controller.h"
#include "io/file_system.h"
#include "kv/store.h"
#include "metadata/image_publisher.h"
#include "metadata/metadata_store.h"
#include "record/batch.h"
#include "storage/disk_reserve.h"
#include "storage/log_store.h"
#include "support/checkers.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "support/memory_file_system.h"
#include "talosmq/ids.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::broker {

/// What a callback was given, and how often.
template <typename T>
struct Answer {
  int calls = 0;
  T value{};
};
template <typename T>
using AnswerPtr = std::shared_ptr<Answer<T>>;

/// A callback that writes down what it is given; the answer outlives the broker.
template <typename T>
base::Callback<T> WriteDown(const AnswerPtr<T>& answer) {
  return [answer](T value) {
    ++answer->calls;
    answer->value = std::move(value);
  };
}

struct BatchOf {
  std::vector<std::string> values;
  record::ProducerStamp producer = {};
  int64_t timestamp_ms = 1'767'225'600'000;
  std::optional<std::string> key = {};  ///< Of each value.
};
base::Buffer MakeBatch(const BatchOf& batch);

/// The records of a fetch at or above `from`.
std::vector<support::ReadRecord> RecordsIn(const std::vector<base::Buffer>& chunks, Offset from);

/// The store of the views, which may fail.
class ViewsStore final : public kv::Store {
 public:
  void FailNextWrites(int count) { failures_ = count; }
  int64_t reads() const { return reads_; }
  /// What CutPower() of the harness leaves alone.
  kv::MemoryStore& memory() { return *memory_; }

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    ++reads_;
    return memory_->Get(key);
  }
  absl::StatusOr<std::vector<kv::Entry>> Scan(std::string_view prefix, std::string_view from,
                                              size_t limit) override {
    return memory_->Scan(prefix, from, limit);
  }
  absl::Status Write(const kv::WriteBatch& batch, kv::Durability durability) override {
    if (failures_ > 0 && failures_-- > 0) return support::MemoryFileSystem::StorageFull("views");
    return memory_->Write(batch, durability);
  }

 private:
  const std::unique_ptr<kv::MemoryStore> memory_ = kv::MakeMemoryStore();
  int failures_ = 0;
  int64_t reads_ = 0;
};

/// A whole broker on real storage and metadata code, over a disk in memory; its executors run when
/// the test says so. The disk outlives the processes: a test kills, cuts the power, starts again.
class BrokerHarness {
 public:
  static constexpr BrokerId kSelf{0};

  BrokerHarness();
  /// Kills what still runs.
  ~BrokerHarness();

  // The machine.
  void Start();
  /// In good order.
  void Stop();
  /// kill -9: nothing that was queued runs, what was written stays in the page cache.
  void Kill();
  void CutPower(support::PowerCut cut);
  /// Of a stopped machine: the next process finds the disk as it is beside an empty store.
  void LoseStore();
  bool is_running() const { return process_ != nullptr; }

  support::ManualClock& clock() { return clock_; }
  support::MemoryFileSystem& disk() { return disk_; }
  ViewsStore& views() { return views_store_; }
  BrokerOptions& options() { return options_; }  ///< For the next Start().
  storage::DiskReserve::Options& reserve_options() { return reserve_options_; }  ///< Likewise.
  Broker& broker();
  metadata::MetadataStore& metadata_store();
  support::ManualExecutor& shard();

  /// Runs all executors until nothing is due.
  void Run();
  /// The same but for the one that writes and syncs: nothing becomes durable.
  void RunWithoutFlush();
  void Advance(absl::Duration by);

  // A small language of requests. Each returns before anything has run.
  AnswerPtr<AppendOutcome> Append(const TopicPartition& target, BatchOf batch,
                                  Acks acks = Acks::kAll);
  AnswerPtr<AppendOutcome> Append(AppendRequest request);
  AnswerPtr<FetchOutcome> Fetch(const TopicPartition& source, int64_t offset,
                                absl::Duration wait = absl::ZeroDuration());
  AnswerPtr<FetchOutcome> Fetch(FetchRequest request, FetchTicket* ticket);
  AnswerPtr<OffsetOutcome> FindOffset(const TopicPartition& source, OffsetSpec spec);

  // These run until they are answered, and expect success.
  TopicId CreateTopic(const std::string& name, int32_t partitions,
                      std::map<std::string, std::string> configs = {});
  AppendOutcome AppendNow(const TopicPartition& target, BatchOf batch);
  FetchOutcome FetchNow(const TopicPartition& source, int64_t offset);
  HealthReport CheckHealthNow();
  /// Everything from the start of the log, by as many fetches as it takes.
  std::vector<support::ReadRecord> ReadAll(const TopicPartition& source);
  LeaderEpoch EpochInStore(const TopicPartition& partition);

 private:
  struct Process;

  void Register();

  support::ManualClock clock_;
  support::MemoryFileSystem disk_;
  std::unique_ptr<kv::MemoryStore> kv_;
  ViewsStore views_store_;
  group::OffsetViews views_{views_store_};
  BrokerOptions options_;
  storage::DiskReserve::Options reserve_options_{.directory = "data"};
  std::unique_ptr<Process> process_;
};

}  // namespace talosmq::broker
