#pragma once

#include "base/executor.h"
#include "sink/dump_job.h"
#include "sink/job_definition.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::sink {

/// Jobs at once; another is refused with kOverloaded.
inline constexpr size_t kJobsMax = 1000;

/// What somebody asks to be dumped, not yet checked.
struct JobRequest {
  std::string name;
  std::string topic;
  std::string target;
  FormatKind format = FormatKind::kJson;
  std::map<std::string, std::string> configs;
};

/// All dump jobs of a server, by name.
///
/// Two jobs of one topic never share a target: they would take each other's files for their own.
/// Thread-safe: every call runs on the sink's executor and answers there, exactly once. Stop it
/// before it goes; what it works with outlives it. Nothing here survives a crash but what JobState
/// and the target hold; Start picks that up.
class DumpJobs {
 public:
  using Done = base::Callback<absl::Status>;

  explicit DumpJobs(const SinkServices& services) : services_(services) {}
  DumpJobs(const DumpJobs&) = delete;
  DumpJobs& operator=(const DumpJobs&) = delete;

  /// Loads the jobs, continues those that ran and finishes the removal of those half removed.
  /// Fails when the jobs cannot be read; retries while the store is away.
  void Start(Done ready);
  /// Answers all that waits with kShuttingDown and refuses what comes; then `done`.
  void Stop(base::Task done);

  /// kInvalidDumpJob, kDumpJobExists, kUnknownTopic, or why the target cannot be written.
  void Create(JobRequest request, Done done);
  void List(base::Callback<absl::StatusOr<std::vector<JobDescription>>> done);
  void Describe(std::string name, base::Callback<absl::StatusOr<JobDescription>> done);
  void Pause(std::string name, Done done);
  void Resume(std::string name, Done done);
  void Remove(std::string name, Done done);

 private:
  using JobMap = std::map<std::string, std::shared_ptr<DumpJob>, std::less<>>;

  /// Runs `task` on the executor, or answers kOverloaded or kShuttingDown through `refuse`.
  void Enter(base::Task task, Done refuse);
  void LoadJobs();
  void OnJobsListed(absl::StatusOr<std::vector<StoredJob>> jobs);
  void OnJobLoaded(const std::shared_ptr<DumpJob>& job);
  void Ready(const absl::Status& status);
  absl::Status CheckNew(const JobDefinition& definition) const;
  void CreateChecked(JobDefinition definition, const absl::StatusOr<SourceTopic>& topic, Done done);
  void RemoveJob(const std::shared_ptr<DumpJob>& job, Done done);
  absl::StatusOr<std::shared_ptr<DumpJob>> Find(std::string_view name) const;

  const SinkServices services_;
  // Confined to the executor from here on.
  JobMap jobs_;
  Done ready_;
  size_t loading_ = 0;
  bool is_stopped_ = false;
  BackOff back_off_;
};

}  // namespace talosmq::sink
