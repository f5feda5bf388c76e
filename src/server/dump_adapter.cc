#include "server/dump_adapter.h"

#include "base/gate.h"
#include "base/random.h"
#include "base/status.h"
#include "broker/in_time.h"
#include "server/broker_record_source.h"
#include "sink/dump_jobs.h"
#include "sink/metadata_job_state.h"

#include <utility>

namespace talosmq::server {
namespace {

sink::FormatKind ToSink(broker::DumpFormat format) {
  switch (format) {
    case broker::DumpFormat::kJson:
      return sink::FormatKind::kJson;
    case broker::DumpFormat::kRaw:
      return sink::FormatKind::kRaw;
  }
  return sink::FormatKind::kJson;
}

broker::DumpFormat FromSink(sink::FormatKind format) {
  switch (format) {
    case sink::FormatKind::kJson:
      return broker::DumpFormat::kJson;
    case sink::FormatKind::kRaw:
      return broker::DumpFormat::kRaw;
  }
  return broker::DumpFormat::kJson;
}

/// Nobody outside can see a job that is being deleted run.
broker::DumpState FromSink(sink::JobPhase phase) {
  switch (phase) {
    case sink::JobPhase::kRunning:
      return broker::DumpState::kRunning;
    case sink::JobPhase::kPaused:
    case sink::JobPhase::kDeleting:
      return broker::DumpState::kPaused;
    case sink::JobPhase::kFailed:
      return broker::DumpState::kFailed;
  }
  return broker::DumpState::kFailed;
}

broker::DumpDescription FromSink(const sink::JobDescription& job) {
  const sink::JobDefinition& definition = job.record.definition;
  broker::DumpDescription description{.definition = {.name = definition.name,
                                                     .topic = definition.topic,
                                                     .target = definition.target,
                                                     .format = FromSink(definition.format),
                                                     .configs = sink::ConfigsOf(definition)},
                                      .topic_id = job.record.topic_id,
                                      .state = FromSink(job.record.phase),
                                      .error = job.record.error,
                                      .partitions = {},
                                      .files_published = job.files_published,
                                      .records_published = job.records_published,
                                      .bytes_published = job.bytes_published,
                                      .offsets_skipped = job.offsets_skipped};
  for (const sink::PartitionProgress& partition : job.partitions) {
    description.partitions.push_back({.partition = partition.partition,
                                      .next_offset = partition.next_offset,
                                      .high_watermark = partition.high_watermark,
                                      .lag_records = partition.lag_records()});
  }
  return description;
}

absl::Status Stopping() {
  return MakeError(Reason::kShuttingDown, "dump jobs: the server is stopping");
}

}  // namespace

/// In the order in which they depend on each other; the jobs go first.
struct DumpAdapter::Parts {
  explicit Parts(const Dependencies& d)
      : clock(d.clock),
        source(d.messages, d.topics, d.clock),
        executor({.name = "sink"}),
        state(d.store, executor),
        jobs({.source = source,
              .state = state,
              .file_system = d.file_system,
              .executor = executor,
              .clock = d.clock,
              .random = random,
              .metrics = d.metrics}) {}

  const base::Clock& clock;
  base::SystemRandom random;
  BrokerRecordSource source;
  base::ThreadExecutor executor;
  sink::MetadataJobState state;
  sink::DumpJobs jobs;
  base::Gate calls;  ///< Open until Stop; what passes it is queued before the jobs stop.
  bool is_stopped = false;
};

DumpAdapter::DumpAdapter(const Dependencies& dependencies)
    : parts_(std::make_unique<Parts>(dependencies)) {}

DumpAdapter::~DumpAdapter() { Stop(); }

void DumpAdapter::Start(base::Callback<absl::Status> ready) {
  parts_->jobs.Start(std::move(ready));
}

void DumpAdapter::Stop() {
  if (std::exchange(parts_->is_stopped, true)) return;
  parts_->calls.CloseAndWait();
  base::Gate stopping;
  parts_->jobs.Stop([pass = stopping.Enter()] {});
  stopping.CloseAndWait();
  // The answers to what was asked of the broker are queued by then; the executor still runs them.
  parts_->source.Stop();
  parts_->executor.Stop();
}

template <typename Run>
void DumpAdapter::RunChange(std::string_view what, absl::Duration deadline,
                            base::Callback<absl::Status> done, Run run) {
  const auto pass = parts_->calls.Enter();
  if (!pass.has_value()) return done(Stopping());
  broker::RunInTime(
      {.executor = parts_->executor, .clock = parts_->clock, .deadline = deadline, .what = what},
      std::move(done), std::move(run));
}

void DumpAdapter::Create(broker::DumpDefinition definition, absl::Duration deadline,
                         base::Callback<absl::Status> done) {
  sink::JobRequest job{.name = std::move(definition.name),
                       .topic = std::move(definition.topic),
                       .target = std::move(definition.target),
                       .format = ToSink(definition.format),
                       .configs = std::move(definition.configs)};
  RunChange("create dump", deadline, std::move(done),
            [this, job = std::move(job)](base::Callback<absl::Status> answer) mutable {
              parts_->jobs.Create(std::move(job), std::move(answer));
            });
}

void DumpAdapter::List(base::Callback<absl::StatusOr<std::vector<broker::DumpDescription>>> done) {
  const auto pass = parts_->calls.Enter();
  if (!pass.has_value()) return done(Stopping());
  parts_->jobs.List([done = std::move(done)](
                        const absl::StatusOr<std::vector<sink::JobDescription>>& jobs) mutable {
    if (!jobs.ok()) return done(jobs.status());
    std::vector<broker::DumpDescription> descriptions;
    descriptions.reserve(jobs->size());
    for (const sink::JobDescription& job : *jobs) descriptions.push_back(FromSink(job));
    done(std::move(descriptions));
  });
}

void DumpAdapter::Describe(std::string name,
                           base::Callback<absl::StatusOr<broker::DumpDescription>> done) {
  const auto pass = parts_->calls.Enter();
  if (!pass.has_value()) return done(Stopping());
  parts_->jobs.Describe(
      std::move(name),
      [done = std::move(done)](const absl::StatusOr<sink::JobDescription>& job) mutable {
        if (!job.ok()) return done(job.status());
        done(FromSink(*job));
      });
}

void DumpAdapter::Pause(std::string name, absl::Duration deadline,
                        base::Callback<absl::Status> done) {
  RunChange("pause dump", deadline, std::move(done),
            [this, name = std::move(name)](base::Callback<absl::Status> answer) mutable {
              parts_->jobs.Pause(std::move(name), std::move(answer));
            });
}

void DumpAdapter::Resume(std::string name, absl::Duration deadline,
                         base::Callback<absl::Status> done) {
  RunChange("resume dump", deadline, std::move(done),
            [this, name = std::move(name)](base::Callback<absl::Status> answer) mutable {
              parts_->jobs.Resume(std::move(name), std::move(answer));
            });
}

void DumpAdapter::Delete(std::string name, absl::Duration deadline,
                         base::Callback<absl::Status> done) {
  RunChange("delete dump", deadline, std::move(done),
            [this, name = std::move(name)](base::Callback<absl::Status> answer) mutable {
              parts_->jobs.Remove(std::move(name), std::move(answer));
            });
}

}  // namespace talosmq::server
