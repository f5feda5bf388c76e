#pragma once

#include "base/metrics.h"
#include "base/random.h"
#include "metadata/metadata_store.h"
#include "sink/dump_jobs.h"
#include "sink/metadata_job_state.h"
#include "support/dump_checker.h"
#include "support/fated_metadata_store.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "support/memory_file_system.h"
#include "support/memory_record_source.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::support {

/// Different numbers, the same in every run.
class CountingRandom final : public base::Random {
 public:
  uint64_t Next() override { return ++last_; }

 private:
  uint64_t last_ = 0;
};

/// What survives the death of the servers that dump: topic "orders", disk, metadata store, and the
/// time. Thread-compatible.
class DumpWorld {
 public:
  static constexpr char kTopic[] = "orders";
  static constexpr char kFolder[] = "/dump";
  static constexpr char kJob[] = "job";
  /// 2026-11-22T06:00:00Z.
  static constexpr int64_t kSixOClockMs = int64_t{1'795'327'200'000};

  explicit DumpWorld(int32_t partitions);

  TopicPartition PartitionOf(int32_t partition) const {
    return {.topic_id = topic_id, .partition = PartitionId(partition)};
  }
  /// Appends one batch of records with these times; the checker knows of them.
  void Append(int32_t partition, const std::vector<int64_t>& timestamps_ms);

  const TopicId topic_id;
  ManualClock clock;
  ManualExecutor store_executor;
  ManualExecutor source_executor;
  MemoryFileSystem disk;
  std::unique_ptr<metadata::MetadataStore> inner_store;
  FatedMetadataStore store;
  MemoryRecordSource source;
  CountingRandom random;
  std::unique_ptr<base::MetricRegistry> metrics;
  DumpExactlyOnceChecker checker;
};

/// One server process that runs the dump jobs of a world. Destroying it kills it: nothing is
/// finished. Thread-compatible. The world outlives it.
class DumpProcess {
 public:
  explicit DumpProcess(DumpWorld& world);
  DumpProcess(const DumpProcess&) = delete;
  DumpProcess& operator=(const DumpProcess&) = delete;
  ~DumpProcess();

  sink::DumpJobs& jobs() { return jobs_; }

  /// At most so many tasks of the server, with all that its surroundings do meanwhile.
  void Run(uint64_t tasks);
  /// Everything that can happen without time passing.
  void Settle();
  /// Time passes in steps that wake every timer.
  void Pass(absl::Duration duration);

  absl::Status Start();
  absl::Status CreateJson(const std::map<std::string, std::string>& configs);
  absl::Status Create(const sink::JobRequest& request);
  absl::Status Pause();
  absl::Status Resume();
  absl::Status Remove();
  absl::StatusOr<sink::JobDescription> Describe();

 private:
  /// The answer once the world has settled; kDeadlineExceeded when it takes time.
  absl::Status Ask(const std::function<void(sink::DumpJobs::Done)>& call);

  DumpWorld& world_;
  ManualExecutor executor_;
  sink::MetadataJobState state_;
  sink::DumpJobs jobs_;
};

sink::JobRequest JsonRequest();

}  // namespace talosmq::support
