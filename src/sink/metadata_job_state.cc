#include "sink/metadata_job_state.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"

#include "absl/strings/str_format.h"

#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

namespace talosmq::sink {
namespace {

constexpr std::string_view kJobPrefix = "dump/job/";

std::string JobKey(std::string_view name) { return base::StrCat(kJobPrefix, name); }
std::string TasksPrefix(std::string_view job) { return base::StrCat("dump/task/", job, "/"); }
std::string KeyOf(const TaskKey& task) {
  return absl::StrFormat("%s%010d", TasksPrefix(task.job), task.partition.value());
}

StateVersion VersionOf(metadata::Revision revision) { return static_cast<StateVersion>(revision); }
metadata::Revision RevisionOf(StateVersion version) {
  return static_cast<metadata::Revision>(version);
}

absl::StatusOr<PartitionId> PartitionOf(const std::string& key) {
  int32_t partition = 0;
  const char* end = key.data() + key.size();
  const auto [parsed_to, error] = std::from_chars(key.data() + key.rfind('/') + 1, end, partition);
  if (error == std::errc() && parsed_to == end) return PartitionId(partition);
  return MakeError(Reason::kCorruptData,
                   base::StrCat("metadata key '", key, "': expected a partition at its end"));
}

absl::StatusOr<std::vector<StoredTask>> DecodeTasks(
    const std::vector<metadata::KeyValue>& entries) {
  std::vector<StoredTask> tasks;
  tasks.reserve(entries.size());
  for (const metadata::KeyValue& entry : entries) {
    TALOSMQ_ASSIGN_OR_RETURN(const PartitionId partition, PartitionOf(entry.key));
    auto record = DecodeTaskRecord(entry.value);
    if (!record.ok()) return base::Annotate(record.status(), entry.key);
    tasks.push_back({partition, *std::move(record), VersionOf(entry.mod_revision)});
  }
  return tasks;
}

absl::StatusOr<std::vector<StoredJob>> DecodeJobs(const std::vector<metadata::KeyValue>& entries) {
  std::vector<StoredJob> jobs;
  jobs.reserve(entries.size());
  for (const metadata::KeyValue& entry : entries) {
    auto record = DecodeJobRecord(entry.value);
    if (!record.ok()) return base::Annotate(record.status(), entry.key);
    jobs.push_back({*std::move(record), VersionOf(entry.mod_revision)});
  }
  return jobs;
}

}  // namespace

void MetadataJobState::ListJobs(base::Callback<absl::StatusOr<std::vector<StoredJob>>> done) {
  ListAll(std::string(kJobPrefix), {},
          [done = std::move(done)](absl::StatusOr<Entries> entries) mutable {
            entries.ok() ? done(DecodeJobs(*entries)) : done(entries.status());
          });
}

void MetadataJobState::ListTasks(std::string job,
                                 base::Callback<absl::StatusOr<std::vector<StoredTask>>> done) {
  ListAll(TasksPrefix(job), {}, [done = std::move(done)](absl::StatusOr<Entries> entries) mutable {
    entries.ok() ? done(DecodeTasks(*entries)) : done(entries.status());
  });
}

void MetadataJobState::ListAll(std::string prefix, Entries found,
                               base::Callback<absl::StatusOr<Entries>> done) {
  // The smallest key above the last one found: keys hold no NUL, so nothing lies between.
  std::string from = found.empty() ? std::string() : found.back().key + '\0';
  store_.List(prefix, std::move(from), executor_,
              [this, prefix, found = std::move(found),
               done = std::move(done)](absl::StatusOr<metadata::ListResult> page) mutable {
                if (!page.ok()) return done(page.status());
                found.insert(found.end(), std::make_move_iterator(page->entries.begin()),
                             std::make_move_iterator(page->entries.end()));
                if (page->is_complete) return done(std::move(found));
                ListAll(std::move(prefix), std::move(found), std::move(done));
              });
}

void MetadataJobState::SaveJob(JobRecord record, StateVersion expected,
                               base::Callback<absl::StatusOr<StateVersion>> done) {
  const std::string key = JobKey(record.definition.name);
  Save({.key = key, .value = EncodeJobRecord(record)},
       {{.key = key, .mod_revision = RevisionOf(expected)}}, Reason::kConflict, std::move(done));
}

void MetadataJobState::SaveTask(TaskKey key, TaskRecord record, TaskVersions expected,
                                base::Callback<absl::StatusOr<StateVersion>> done) {
  const std::string task_key = KeyOf(key);
  Save({.key = task_key, .value = EncodeTaskRecord(record)},
       {{.key = JobKey(key.job), .mod_revision = RevisionOf(expected.job)},
        {.key = task_key, .mod_revision = RevisionOf(expected.task)}},
       Reason::kFencedEpoch, std::move(done));
}

void MetadataJobState::Save(metadata::Operation operation, std::vector<metadata::Compare> compares,
                            Reason refusal, base::Callback<absl::StatusOr<StateVersion>> done) {
  metadata::Transaction transaction{.compares = std::move(compares), .operations = {operation}};
  store_.Commit(std::move(transaction), executor_,
                [this, operation = std::move(operation), refusal,
                 done = std::move(done)](absl::StatusOr<metadata::CommitResult> result) mutable {
                  if (!result.ok()) return done(result.status());
                  if (result->succeeded) return done(VersionOf(result->revision));
                  FindOwnSave(std::move(operation), refusal, std::move(done));
                });
}

void MetadataJobState::FindOwnSave(metadata::Operation operation, Reason refusal,
                                   base::Callback<absl::StatusOr<StateVersion>> done) {
  std::string key = operation.key;
  store_.Get(
      std::move(key), executor_,
      [operation = std::move(operation), refusal,
       done = std::move(done)](absl::StatusOr<std::optional<metadata::KeyValue>> stored) mutable {
        if (!stored.ok()) return done(stored.status());
        if (stored->has_value() && (*stored)->value == operation.value) {
          return done(VersionOf((*stored)->mod_revision));
        }
        done(MakeError(refusal, base::StrCat("metadata key '", operation.key,
                                             "': somebody else has changed or removed it, or its "
                                             "dump job, since it was read here")));
      });
}

void MetadataJobState::RemoveJob(std::string name, StateVersion expected,
                                 base::Callback<absl::Status> done) {
  std::string prefix = TasksPrefix(name);
  store_.List(std::move(prefix), {}, executor_,
              [this, name = std::move(name), expected,
               done = std::move(done)](absl::StatusOr<metadata::ListResult> tasks) mutable {
                if (!tasks.ok()) return done(tasks.status());
                RemoveListed(std::move(name), expected, *std::move(tasks), std::move(done));
              });
}

void MetadataJobState::RemoveListed(std::string name, StateVersion expected,
                                    metadata::ListResult tasks, base::Callback<absl::Status> done) {
  metadata::Transaction transaction;
  const std::string job_key = JobKey(name);
  transaction.compares.push_back({.key = job_key, .mod_revision = RevisionOf(expected)});
  const bool is_last = tasks.is_complete && tasks.entries.size() < metadata::kTransactionPartsMax;
  for (const metadata::KeyValue& task : tasks.entries) {
    if (transaction.operations.size() == metadata::kTransactionPartsMax) break;
    transaction.operations.push_back({.key = task.key, .value = std::nullopt});
  }
  if (is_last) transaction.operations.push_back({.key = job_key, .value = std::nullopt});
  store_.Commit(std::move(transaction), executor_,
                [this, name = std::move(name), expected, is_last,
                 done = std::move(done)](absl::StatusOr<metadata::CommitResult> result) mutable {
                  if (!result.ok()) return done(result.status());
                  // The job's key is of another version or gone: then it is not ours to remove any
                  // more.
                  if (is_last || !result->succeeded) return done(absl::OkStatus());
                  RemoveJob(std::move(name), expected, std::move(done));
                });
}

}  // namespace talosmq::sink
