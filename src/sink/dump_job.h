#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/random.h"
#include "io/file_system.h"
#include "sink/back_off.h"
#include "sink/format.h"
#include "sink/job_state.h"
#include "sink/partition_dump.h"
#include "sink/record_source.h"
#include "sink/target.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::sink {

/// What jobs work with. All of it outlives them.
struct SinkServices {
  RecordSource& source;
  JobState& state;
  io::FileSystem& file_system;
  base::Executor& executor;
  const base::Clock& clock;
  base::Random& random;
  base::MetricRegistry& metrics;
};

struct PartitionProgress {
  PartitionId partition;
  Offset next_offset;  ///< First offset not yet in a published file.
  Offset high_watermark;
  int64_t lag_records() const { return high_watermark - next_offset; }
};

struct JobDescription {
  JobRecord record;
  std::vector<PartitionProgress> partitions;
  int64_t files_published = 0;
  int64_t records_published = 0;
  int64_t bytes_published = 0;
  int64_t offsets_skipped = 0;
};

/// One dump job: its phase, and while it runs one PartitionDump for each partition of its topic.
///
/// Invariants: (1) while PartitionDumps exist the stored phase is kRunning and the stored claim is
/// this object's; (2) one operation at a time, another is refused with kConflict. A run begins with
/// a save of the job's record, which fences every other process that still runs it (G11). Confined
/// to the sink's executor. Shared because calls under way refer to it; DumpJobs owns and stops it.
/// After a crash the stored record says what it was doing.
class DumpJob : public std::enable_shared_from_this<DumpJob> {
 public:
  using Done = base::Callback<absl::Status>;

  DumpJob(const SinkServices& services, StoredJob stored);

  const JobRecord& record() const { return stored_.record; }

  /// A new job's partitions are described, with all that they hold as lag, before they begin.
  void ExpectPartitions(int32_t count);
  /// Fetches the positions of a stored job; then `done`.
  void Load(base::Task done);
  /// Saves the record as running, which makes a new one, and runs. `done` comes after the save.
  void Run(Done done);
  /// Publishes what is open, stops, saves. OK at once for a paused job; kConflict for a failed one.
  void Pause(Done done);
  /// OK at once for a running job.
  void Resume(Done done);
  /// Stops, removes what is unpublished and all records.
  void Remove(Done done);
  void Describe(base::Callback<absl::StatusOr<JobDescription>> done);
  /// Stops at once; what waits is answered with kShuttingDown. Nothing is saved.
  void Stop();

 private:
  struct Partition {
    std::optional<StoredTask> stored;
    std::shared_ptr<PartitionDump> dump;  ///< Null while the job does not run.
    Offset high_watermark{0};
    const TaskRecord* record() const;
  };

  absl::Status BeginOperation(const char* verb, Done& done);
  void EndOperation(const absl::Status& status);

  /// Lists the stored positions into partitions_, then calls `next`. Tries until it can.
  void ListTasks(base::Task next);
  void CheckTopic();
  void OnTopic(const absl::StatusOr<SourceTopic>& topic);
  void MeasureLag();
  void StartPartition(PartitionId partition);
  void OnPartitionEnded(const absl::Status& status);
  void FinishPause();
  /// Stops and saves why.
  void Fail(const absl::Status& status);
  /// Stops as failed in this process alone: the job belongs to another one.
  void StopAsFailed(const absl::Status& status);
  /// Saves the record under `phase`; `next` gets OK or kConflict. Tries until it knows.
  void Save(JobPhase phase, base::Callback<absl::Status> next);
  void RemoveRecords();
  /// Ends all work of this run; answers to earlier calls are dropped from now on.
  void StopWork();
  /// `task`, unless the present run has ended by then.
  base::Task InThisRun(base::Task task);
  void RetryLater(base::Task task);
  std::string Where() const;

  const SinkServices services_;
  StoredJob stored_;
  const std::unique_ptr<Format> format_;
  const std::unique_ptr<Destination> destination_;
  const PublishCounters counters_;
  base::Gauge& lag_records_;

  std::map<PartitionId, Partition> partitions_;
  uint64_t run_ = 0;    ///< Tells answers to calls of this run from older ones.
  size_t running_ = 0;  ///< PartitionDumps that have not ended.
  bool is_pausing_ = false;
  std::string operation_;  ///< What `done_` waits for, as a participle; empty: nothing.
  Done done_;
  base::TimerId topic_timer_ = base::TimerId::kNone;
  base::TimerId retry_ = base::TimerId::kNone;
  BackOff back_off_;
};

}  // namespace talosmq::sink
