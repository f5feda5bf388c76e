#pragma once

#include "base/executor.h"
#include "sink/task_record.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::sink {

/// Tells one stored state of a record from every other one; kNone: there is no record.
enum class StateVersion : int64_t { kNone = 0 };

struct StoredJob {
  JobRecord record;
  StateVersion version = StateVersion::kNone;
};

struct StoredTask {
  PartitionId partition;
  TaskRecord record;
  StateVersion version = StateVersion::kNone;
};

struct TaskKey {
  std::string job;
  PartitionId partition;
};

/// What a task's worker last knew. A save takes effect only while both still hold, so a worker is
/// fenced by the next claim of its task as well as by any change of its job.
struct TaskVersions {
  StateVersion job = StateVersion::kNone;
  StateVersion task = StateVersion::kNone;
};

/// Where jobs and the progress of their tasks are kept, by compare-and-set. Every call answers on
/// one executor, exactly once, in the order of the calls.
///
/// kMetadataUnavailable means that a save may or may not have taken effect: the same call made
/// again finds out, for a save that finds its own bytes stored succeeds. Confined to that executor.
class JobState {
 public:
  virtual ~JobState() = default;

  virtual void ListJobs(base::Callback<absl::StatusOr<std::vector<StoredJob>>> done) = 0;
  /// kConflict when the stored job is not of version `expected`.
  virtual void SaveJob(JobRecord record, StateVersion expected,
                       base::Callback<absl::StatusOr<StateVersion>> done) = 0;
  /// Removes the records of the job's tasks, then its own, which must be of version `expected` and
  /// kDeleting. Made again after a failure it goes on; a job that is gone is fine.
  virtual void RemoveJob(std::string name, StateVersion expected,
                         base::Callback<absl::Status> done) = 0;

  /// In the order of the partitions.
  virtual void ListTasks(std::string job,
                         base::Callback<absl::StatusOr<std::vector<StoredTask>>> done) = 0;
  /// kFencedEpoch when one of `expected` does not hold: nothing has changed, nothing will.
  virtual void SaveTask(TaskKey key, TaskRecord record, TaskVersions expected,
                        base::Callback<absl::StatusOr<StateVersion>> done) = 0;
};

}  // namespace talosmq::sink
