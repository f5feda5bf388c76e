#pragma once

#include "base/executor.h"
#include "metadata/metadata_store.h"
#include "sink/job_state.h"
#include "talosmq/error.h"

#include <memory>
#include <string>
#include <vector>

namespace talosmq::sink {

/// Jobs as keys of the metadata store: "dump/job/<name>" and "dump/task/<name>/<partition, 10
/// digits>"; a StateVersion is the key's mod_revision. Confined to `executor`, on which it answers.
/// The store and the executor outlive it and its calls.
class MetadataJobState final : public JobState {
 public:
  MetadataJobState(metadata::MetadataStore& store, base::Executor& executor)
      : store_(store), executor_(executor) {}

  void ListJobs(base::Callback<absl::StatusOr<std::vector<StoredJob>>> done) override;
  void SaveJob(JobRecord record, StateVersion expected,
               base::Callback<absl::StatusOr<StateVersion>> done) override;
  void RemoveJob(std::string name, StateVersion expected,
                 base::Callback<absl::Status> done) override;
  void ListTasks(std::string job,
                 base::Callback<absl::StatusOr<std::vector<StoredTask>>> done) override;
  void SaveTask(TaskKey key, TaskRecord record, TaskVersions expected,
                base::Callback<absl::StatusOr<StateVersion>> done) override;

 private:
  using Entries = std::vector<metadata::KeyValue>;

  /// All entries under `prefix`, page by page, after those already in `found`.
  void ListAll(std::string prefix, Entries found, base::Callback<absl::StatusOr<Entries>> done);
  /// Commits; when a compare does not hold, looks whether an earlier attempt put the value there.
  void Save(metadata::Operation operation, std::vector<metadata::Compare> compares, Reason refusal,
            base::Callback<absl::StatusOr<StateVersion>> done);
  void FindOwnSave(metadata::Operation operation, Reason refusal,
                   base::Callback<absl::StatusOr<StateVersion>> done);
  void RemoveListed(std::string name, StateVersion expected, metadata::ListResult tasks,
                    base::Callback<absl::Status> done);

  metadata::MetadataStore& store_;
  base::Executor& executor_;
};

}  // namespace talosmq::sink
