#include "sink/dump_job.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "sink/source_errors.h"
#include "sink/target_file.h"

#include <algorithm>
#include <utility>

namespace talosmq::sink {
namespace {

/// How often a running job looks for new partitions and for the end of its topic.
constexpr absl::Duration kTopicCheckInterval = absl::Seconds(5);

PublishCounters MakeCounters(base::MetricRegistry& metrics, const std::string& job) {
  const base::MetricLabels labels{{"job", job}};
  return {metrics.AddCounter("talosmq_dump_files_published_total", "Files published by a dump job.",
                             labels),
          metrics.AddCounter("talosmq_dump_records_published_total",
                             "Records in the files published by a dump job.", labels),
          metrics.AddCounter("talosmq_dump_bytes_published_total",
                             "Bytes of the files published by a dump job.", labels),
          metrics.AddCounter("talosmq_dump_offsets_skipped_total",
                             "Offsets that a dump job left out, since they could not be read.",
                             labels)};
}

/// At most so many bytes of UTF-8 `text`, without half a character at the end.
std::string CutText(std::string text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t size = bytes_max;
  while (size > 0 && (static_cast<uint8_t>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
  return text;
}

}  // namespace

DumpJob::DumpJob(const SinkServices& services, StoredJob stored)
    : services_(services),
      stored_(std::move(stored)),
      format_(MakeFormat(stored_.record.definition.format)),
      destination_(std::make_unique<FolderDestination>(services_.file_system, stored_.record,
                                                       format_->extension())),
      counters_(MakeCounters(services_.metrics, stored_.record.definition.name)),
      lag_records_(services_.metrics.AddGauge(
          "talosmq_dump_lag_records",
          "Committed records that a dump job has not published, as of a few seconds ago.",
          {{"job", stored_.record.definition.name}})) {}

std::string DumpJob::Where() const {
  return base::StrCat("dump job '", stored_.record.definition.name, "'");
}

const TaskRecord* DumpJob::Partition::record() const {
  if (dump != nullptr && dump->record() != nullptr) return dump->record();
  return stored.has_value() ? &stored->record : nullptr;
}

absl::Status DumpJob::BeginOperation(const char* verb, Done& done) {
  if (!operation_.empty()) {
    return MakeError(Reason::kConflict,
                     base::StrCat(Where(), " is ", operation_, "; try again when that is done"));
  }
  operation_ = verb;
  done_ = std::move(done);
  return absl::OkStatus();
}

void DumpJob::EndOperation(const absl::Status& status) {
  if (operation_.empty()) return;
  operation_.clear();
  Done done = std::exchange(done_, nullptr);
  if (done) done(status);
}

void DumpJob::ExpectPartitions(int32_t count) {
  for (int32_t i = 0; i < count; ++i) partitions_[PartitionId(i)];
}

void DumpJob::Load(base::Task done) { ListTasks(std::move(done)); }

void DumpJob::ListTasks(base::Task next) {
  services_.state.ListTasks(
      stored_.record.definition.name,
      [self = shared_from_this(), run = run_,
       next = std::move(next)](absl::StatusOr<std::vector<StoredTask>> tasks) mutable {
        if (run != self->run_) return;
        if (!tasks.ok() && ReasonOf(tasks.status()) == Reason::kMetadataUnavailable) {
          return self->RetryLater(
              [self, next = std::move(next)]() mutable { self->ListTasks(std::move(next)); });
        }
        if (!tasks.ok()) {
          self->Fail(tasks.status());
          return next();
        }
        self->back_off_.Reset();
        for (StoredTask& task : *tasks) {
          self->partitions_[task.partition].stored = std::move(task);
        }
        next();
      });
}

void DumpJob::Run(Done done) {
  const absl::Status begun = BeginOperation("being started", done);
  if (!begun.ok()) return done(begun);
  // A job that was never saved is simply not made.
  const bool is_new = stored_.version == StateVersion::kNone;
  const absl::Status writable = destination_->ProveWritable();
  if (!writable.ok()) {
    const absl::Status status =
        MakeError(Reason::kInvalidDumpJob,
                  base::StrCat(Where(), ": the target cannot be written: ", writable.message()));
    return is_new ? EndOperation(status) : Fail(status);
  }
  stored_.record.claim = services_.random.Next();
  Save(JobPhase::kRunning, [this, is_new](const absl::Status& saved) {
    if (!saved.ok()) return is_new ? EndOperation(saved) : StopAsFailed(saved);
    EndOperation(absl::OkStatus());
    base::LogInfo("sink", Where(), " runs: topic '", stored_.record.definition.topic, "' to ",
                  stored_.record.definition.target);
    ListTasks([this] {
      if (stored_.record.phase == JobPhase::kRunning) CheckTopic();
    });
  });
}

void DumpJob::CheckTopic() {
  services_.source.FindTopic(
      stored_.record.definition.topic,
      [self = shared_from_this(), run = run_](absl::StatusOr<SourceTopic> topic) {
        self->services_.executor.Post([self, run, topic = std::move(topic)] {
          if (run == self->run_ && !self->is_pausing_) self->OnTopic(topic);
        });
      });
}

void DumpJob::OnTopic(const absl::StatusOr<SourceTopic>& topic) {
  const JobRecord& record = stored_.record;
  if (!topic.ok()) {
    const Reason reason = ReasonOf(topic.status());
    if (IsTransientSourceError(reason)) return RetryLater([this] { CheckTopic(); });
    if (reason != Reason::kUnknownTopic) return Fail(topic.status());
    return Fail(MakeError(Reason::kUnknownTopic,
                          base::StrCat("topic '", record.definition.topic, "' (id ",
                                       record.topic_id.ToString(), ") was deleted")));
  }
  if (topic->id != record.topic_id) {
    return Fail(MakeError(
        Reason::kUnknownTopicId,
        base::StrCat("topic '", record.definition.topic,
                     "' was deleted and made again: expected id ", record.topic_id.ToString(),
                     ", found ", topic->id.ToString(), "; make a new job for the new topic")));
  }
  back_off_.Reset();
  for (int32_t i = 0; i < topic->partitions; ++i) {
    if (partitions_[PartitionId(i)].dump == nullptr) StartPartition(PartitionId(i));
  }
  MeasureLag();
  topic_timer_ =
      services_.executor.PostAfter(kTopicCheckInterval, InThisRun([this] { CheckTopic(); }));
}

void DumpJob::MeasureLag() {
  Describe([self = shared_from_this()](const absl::StatusOr<JobDescription>& described) {
    if (!described.ok()) return;
    int64_t lag = 0;
    for (const PartitionProgress& partition : described->partitions) lag += partition.lag_records();
    self->lag_records_.Set(static_cast<double>(lag));
  });
}

void DumpJob::StartPartition(PartitionId id) {
  Partition& partition = partitions_[id];
  const JobDefinition& definition = stored_.record.definition;
  PartitionAssignment assignment{.key = {.job = definition.name, .partition = id},
                                 .topic = definition.topic,
                                 .source = {.topic_id = stored_.record.topic_id, .partition = id},
                                 .roll = definition.roll,
                                 .on_corrupt = definition.on_corrupt,
                                 .claim = stored_.record.claim,
                                 .job_version = stored_.version,
                                 .stored = partition.stored};
  const PartitionDump::Services services{.source = services_.source,
                                         .state = services_.state,
                                         .executor = services_.executor,
                                         .clock = services_.clock,
                                         .counters = counters_,
                                         .format = *format_};
  partition.dump = std::make_shared<PartitionDump>(
      services, std::move(assignment), destination_->TargetOf(id),
      // Weak: the job owns its dumps.
      [job = weak_from_this(), run = run_](const absl::Status& status) {
        const auto self = job.lock();
        if (self != nullptr && run == self->run_) self->OnPartitionEnded(status);
      });
  ++running_;
  partition.dump->Start();
}

void DumpJob::OnPartitionEnded(const absl::Status& status) {
  --running_;
  // Fenced: somebody else runs the job now, and what is stored of it is theirs.
  if (ReasonOf(status) == Reason::kFencedEpoch) return StopAsFailed(status);
  if (!status.ok()) return Fail(status);
  if (is_pausing_ && running_ == 0) FinishPause();
}

void DumpJob::Pause(Done done) {
  if (stored_.record.phase == JobPhase::kPaused) return done(absl::OkStatus());
  if (stored_.record.phase == JobPhase::kFailed) {
    return done(MakeError(Reason::kConflict, base::StrCat(Where(), " has failed and does not run: ",
                                                          stored_.record.error)));
  }
  const absl::Status begun = BeginOperation("being paused", done);
  if (!begun.ok()) return done(begun);
  is_pausing_ = true;
  if (running_ == 0) return FinishPause();
  for (auto& [id, partition] : partitions_) {
    if (partition.dump != nullptr) partition.dump->FinishSoon();
  }
}

void DumpJob::FinishPause() {
  StopWork();
  Save(JobPhase::kPaused, [this](const absl::Status& saved) {
    if (!saved.ok()) return StopAsFailed(saved);
    base::LogInfo("sink", Where(), " is paused");
    EndOperation(absl::OkStatus());
  });
}

void DumpJob::Resume(Done done) {
  if (stored_.record.phase == JobPhase::kRunning && operation_.empty()) {
    return done(absl::OkStatus());
  }
  Run(std::move(done));
}

void DumpJob::Fail(const absl::Status& status) {
  StopAsFailed(status);
  operation_ = "being marked as failed";
  Save(JobPhase::kFailed, [this](const absl::Status& saved) {
    if (!saved.ok()) base::LogError("sink", Where(), ": ", saved.message());
    EndOperation(saved);
  });
}

void DumpJob::StopAsFailed(const absl::Status& status) {
  StopWork();
  stored_.record.error = CutText(base::StrCat(ReasonName(ReasonOf(status)), ": ", status.message()),
                                 kJobErrorBytesMax);
  stored_.record.phase = JobPhase::kFailed;
  base::LogError("sink", Where(), " has failed: ", stored_.record.error);
  EndOperation(status);
}

void DumpJob::Remove(Done done) {
  const absl::Status begun = BeginOperation("being deleted", done);
  if (!begun.ok()) return done(begun);
  StopWork();
  Save(JobPhase::kDeleting, [this](const absl::Status& saved) {
    if (!saved.ok()) return EndOperation(saved);
    const absl::Status removed = destination_->RemoveUnpublished();
    if (!removed.ok()) {
      base::LogWarning("sink", Where(), ": unpublished files stay behind: ", removed.message());
    }
    RemoveRecords();
  });
}

void DumpJob::RemoveRecords() {
  services_.state.RemoveJob(stored_.record.definition.name, stored_.version,
                            [self = shared_from_this(), run = run_](const absl::Status& removed) {
                              if (run != self->run_) return;
                              if (ReasonOf(removed) == Reason::kMetadataUnavailable) {
                                return self->RetryLater([self] { self->RemoveRecords(); });
                              }
                              self->EndOperation(removed);
                            });
}

void DumpJob::Save(JobPhase phase, base::Callback<absl::Status> next) {
  JobRecord record = stored_.record;
  record.phase = phase;
  if (phase != JobPhase::kFailed) record.error.clear();
  JobRecord copy = record;
  services_.state.SaveJob(
      std::move(copy), stored_.version,
      [self = shared_from_this(), run = run_, record = std::move(record),
       next = std::move(next)](absl::StatusOr<StateVersion> version) mutable {
        if (run != self->run_) return;
        if (version.ok()) {
          self->back_off_.Reset();
          self->stored_ = {std::move(record), *version};
          return next(absl::OkStatus());
        }
        if (ReasonOf(version.status()) != Reason::kMetadataUnavailable) {
          return next(version.status());
        }
        self->RetryLater([self, phase = record.phase, next = std::move(next)]() mutable {
          self->Save(phase, std::move(next));
        });
      });
}

void DumpJob::Describe(base::Callback<absl::StatusOr<JobDescription>> done) {
  struct Pending {
    JobDescription description;
    size_t unanswered = 0;
    base::Callback<absl::StatusOr<JobDescription>> done;
  };
  // Shared by the answers of all partitions; the last one hands it on.
  auto pending = std::make_shared<Pending>();
  pending->done = std::move(done);
  pending->description.record = stored_.record;
  for (const auto& [id, partition] : partitions_) {
    const TaskRecord* record = partition.record();
    JobDescription& description = pending->description;
    Offset next(0);  // Not begun yet: all of it is still to come.
    if (record != nullptr) {
      description.files_published += record->files_published;
      description.records_published += record->records_published;
      description.bytes_published += record->bytes_published;
      description.offsets_skipped += record->offsets_skipped;
      next = record->next_offset;
    }
    const Offset seen =
        partition.dump != nullptr ? partition.dump->high_watermark() : partition.high_watermark;
    description.partitions.push_back({id, next, std::max(seen, next)});
  }
  pending->unanswered = pending->description.partitions.size();
  if (pending->unanswered == 0) return pending->done(std::move(pending->description));
  for (size_t i = 0; i < pending->description.partitions.size(); ++i) {
    const TopicPartition source{.topic_id = stored_.record.topic_id,
                                .partition = pending->description.partitions[i].partition};
    services_.source.FindEnd(
        source, [self = shared_from_this(), pending, i](absl::StatusOr<Offset> end) {
          self->services_.executor.Post([pending, i, end = std::move(end)] {
            PartitionProgress& partition = pending->description.partitions[i];
            if (end.ok()) partition.high_watermark = std::max(partition.high_watermark, *end);
            if (--pending->unanswered == 0) pending->done(std::move(pending->description));
          });
        });
  }
}

void DumpJob::Stop() {
  StopWork();
  EndOperation(MakeError(Reason::kShuttingDown, base::StrCat(Where(), ": the server is stopping")));
}

void DumpJob::StopWork() {
  ++run_;
  running_ = 0;
  is_pausing_ = false;
  services_.executor.Cancel(std::exchange(topic_timer_, base::TimerId::kNone));
  services_.executor.Cancel(std::exchange(retry_, base::TimerId::kNone));
  for (auto& [id, partition] : partitions_) {
    if (partition.dump == nullptr) continue;
    partition.dump->Stop();
    partition.high_watermark = partition.dump->high_watermark();
    // For descriptions only: a run begins with what the store has.
    if (partition.dump->record() != nullptr) {
      partition.stored = StoredTask{id, *partition.dump->record(), StateVersion::kNone};
    }
    partition.dump.reset();
  }
}

base::Task DumpJob::InThisRun(base::Task task) {
  return [self = shared_from_this(), run = run_, task = std::move(task)]() mutable {
    if (run == self->run_) task();
  };
}

void DumpJob::RetryLater(base::Task task) {
  retry_ = services_.executor.PostAfter(back_off_.Next(), InThisRun(std::move(task)));
}

}  // namespace talosmq::sink
