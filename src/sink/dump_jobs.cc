#include "sink/dump_jobs.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "sink/source_errors.h"

#include <utility>

namespace talosmq::sink {
namespace {

absl::Status Stopping() {
  return MakeError(Reason::kShuttingDown, "dump jobs: the server is stopping");
}

}  // namespace

void DumpJobs::Enter(base::Task task, Done refuse) {
  // Shared: whichever of the two runs answers the caller.
  auto refusal = std::make_shared<Done>(std::move(refuse));
  base::Task entered = [this, task = std::move(task), refusal]() mutable {
    is_stopped_ ? (*refusal)(Stopping()) : task();
  };
  if (services_.executor.TryPost(entered)) return;
  (*refusal)(MakeError(Reason::kOverloaded, "dump jobs: too many calls wait; try again"));
}

void DumpJobs::Start(Done ready) {
  services_.executor.Post([this, ready = std::move(ready)]() mutable {
    ready_ = std::move(ready);
    LoadJobs();
  });
}

void DumpJobs::LoadJobs() {
  services_.state.ListJobs([this](absl::StatusOr<std::vector<StoredJob>> jobs) {
    if (!is_stopped_) OnJobsListed(std::move(jobs));
  });
}

void DumpJobs::OnJobsListed(absl::StatusOr<std::vector<StoredJob>> jobs) {
  if (ReasonOf(jobs.status()) == Reason::kMetadataUnavailable) {
    services_.executor.PostAfter(back_off_.Next(), [this] {
      if (!is_stopped_) LoadJobs();
    });
    return;
  }
  if (!jobs.ok()) return Ready(base::Annotate(jobs.status(), "dump jobs"));
  loading_ = jobs->size();
  if (loading_ == 0) return Ready(absl::OkStatus());
  for (StoredJob& stored : *jobs) {
    auto job = std::make_shared<DumpJob>(services_, std::move(stored));
    jobs_.emplace(job->record().definition.name, job);
    job->Load([this, job] { OnJobLoaded(job); });
  }
}

void DumpJobs::OnJobLoaded(const std::shared_ptr<DumpJob>& job) {
  switch (job->record().phase) {
    case JobPhase::kRunning:
      job->Run(nullptr);
      break;
    case JobPhase::kDeleting:
      RemoveJob(job, [](const absl::Status&) {});
      break;
    case JobPhase::kPaused:
    case JobPhase::kFailed:
      break;
  }
  if (--loading_ == 0) Ready(absl::OkStatus());
}

void DumpJobs::Ready(const absl::Status& status) {
  Done ready = std::exchange(ready_, nullptr);
  if (ready) ready(status);
}

void DumpJobs::Stop(base::Task done) {
  services_.executor.Post([this, done = std::move(done)]() mutable {
    is_stopped_ = true;
    Ready(Stopping());
    // What a job answers may reach back into the map.
    const JobMap jobs = std::exchange(jobs_, {});
    for (const auto& [name, job] : jobs) job->Stop();
    done();
  });
}

void DumpJobs::Create(JobRequest request, Done done) {
  auto answer = std::make_shared<Done>(std::move(done));
  Enter(
      [this, request = std::move(request), answer]() mutable {
        JobDefinition definition{.name = request.name,
                                 .topic = request.topic,
                                 .target = {},
                                 .format = request.format,
                                 .roll = {}};
        absl::Status checked = CheckJobName(request.name);
        auto target = NormalizeTarget(request.target);
        checked.Update(target.status());
        checked.Update(ApplyConfigs(request.configs, definition));
        if (!checked.ok()) return (*answer)(checked);
        definition.target = *std::move(target);
        services_.source.FindTopic(
            definition.topic, [this, definition, answer](absl::StatusOr<SourceTopic> topic) {
              services_.executor.Post([this, definition, answer, topic = std::move(topic)] {
                CreateChecked(definition, topic, std::move(*answer));
              });
            });
      },
      [answer](const absl::Status& status) { (*answer)(status); });
}

void DumpJobs::CreateChecked(JobDefinition definition, const absl::StatusOr<SourceTopic>& topic,
                             Done done) {
  if (is_stopped_) return done(Stopping());
  if (!topic.ok()) return done(topic.status());
  const absl::Status checked = CheckNew(definition);
  if (!checked.ok()) return done(checked);
  JobRecord record;
  record.definition = std::move(definition);
  record.topic_id = topic->id;
  auto job = std::make_shared<DumpJob>(
      services_, StoredJob{.record = std::move(record), .version = StateVersion::kNone});
  job->ExpectPartitions(topic->partitions);
  const std::string name = job->record().definition.name;
  // In the map from now on, so that nobody makes another one of the name while this is being saved.
  jobs_.emplace(name, job);
  job->Run([this, name, done = std::move(done)](const absl::Status& status) mutable {
    if (!status.ok()) jobs_.erase(name);
    if (ReasonOf(status) != Reason::kConflict) return done(status);
    done(MakeError(Reason::kDumpJobExists, base::StrCat("dump job '", name, "' exists")));
  });
}

absl::Status DumpJobs::CheckNew(const JobDefinition& definition) const {
  if (jobs_.contains(definition.name)) {
    return MakeError(Reason::kDumpJobExists,
                     base::StrCat("dump job '", definition.name, "' exists"));
  }
  if (jobs_.size() >= kJobsMax) {
    return MakeError(Reason::kOverloaded,
                     base::StrCat("dump job '", definition.name, "': there are ", kJobsMax,
                                  " jobs, which is the most a server runs"));
  }
  for (const auto& [name, job] : jobs_) {
    const JobDefinition& other = job->record().definition;
    if (other.topic != definition.topic || other.target != definition.target) continue;
    return MakeError(
        Reason::kInvalidDumpJob,
        base::StrCat("dump job '", definition.name, "': job '", name, "' dumps topic '",
                     other.topic, "' to ", other.target, " already; expected another folder"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<DumpJob>> DumpJobs::Find(std::string_view name) const {
  const auto found = jobs_.find(name);
  if (found != jobs_.end()) return found->second;
  return MakeError(
      Reason::kUnknownDumpJob,
      base::StrCat("dump job '", base::Printable(name, kJobNameBytesMax), "' does not exist"));
}

void DumpJobs::Pause(std::string name, Done done) {
  auto answer = std::make_shared<Done>(std::move(done));
  Enter(
      [this, name = std::move(name), answer] {
        const auto job = Find(name);
        job.ok() ? (*job)->Pause(std::move(*answer)) : (*answer)(job.status());
      },
      [answer](const absl::Status& status) { (*answer)(status); });
}

void DumpJobs::Resume(std::string name, Done done) {
  auto answer = std::make_shared<Done>(std::move(done));
  Enter(
      [this, name = std::move(name), answer] {
        const auto job = Find(name);
        job.ok() ? (*job)->Resume(std::move(*answer)) : (*answer)(job.status());
      },
      [answer](const absl::Status& status) { (*answer)(status); });
}

void DumpJobs::Remove(std::string name, Done done) {
  auto answer = std::make_shared<Done>(std::move(done));
  Enter(
      [this, name = std::move(name), answer] {
        const auto job = Find(name);
        job.ok() ? RemoveJob(*job, std::move(*answer)) : (*answer)(job.status());
      },
      [answer](const absl::Status& status) { (*answer)(status); });
}

void DumpJobs::RemoveJob(const std::shared_ptr<DumpJob>& job, Done done) {
  const std::string name = job->record().definition.name;
  job->Remove([this, name, done = std::move(done)](const absl::Status& status) mutable {
    if (status.ok()) jobs_.erase(name);
    done(status);
  });
}

void DumpJobs::Describe(std::string name, base::Callback<absl::StatusOr<JobDescription>> done) {
  auto answer = std::make_shared<base::Callback<absl::StatusOr<JobDescription>>>(std::move(done));
  Enter(
      [this, name = std::move(name), answer] {
        const auto job = Find(name);
        job.ok() ? (*job)->Describe(std::move(*answer)) : (*answer)(job.status());
      },
      [answer](const absl::Status& status) { (*answer)(status); });
}

void DumpJobs::List(base::Callback<absl::StatusOr<std::vector<JobDescription>>> done) {
  struct Pending {
    std::vector<JobDescription> descriptions;
    size_t unanswered = 0;
    base::Callback<absl::StatusOr<std::vector<JobDescription>>> done;
  };
  // Shared by the answers of all jobs; the last one hands it on.
  auto pending = std::make_shared<Pending>();
  pending->done = std::move(done);
  Enter(
      [this, pending] {
        if (jobs_.empty()) return pending->done(std::vector<JobDescription>());
        pending->unanswered = jobs_.size();
        pending->descriptions.resize(jobs_.size());
        size_t i = 0;
        for (const auto& [name, job] : jobs_) {
          job->Describe([pending, i](absl::StatusOr<JobDescription> description) {
            if (description.ok()) pending->descriptions[i] = *std::move(description);
            if (--pending->unanswered > 0) return;
            pending->done(std::move(pending->descriptions));
          });
          ++i;
        }
      },
      [pending](const absl::Status& status) { pending->done(status); });
}

}  // namespace talosmq::sink
