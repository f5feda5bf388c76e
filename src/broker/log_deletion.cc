#include "broker/log_deletion.h"

#include "base/log.h"
#include "base/text.h"

#include <algorithm>
#include <set>
#include <utility>

namespace talosmq::broker {
namespace {

using metadata::DeletionImage;

/// Every log the topic can have here: what lies on the disk, and those of all its partitions, whose
/// folder may be gone and whose entry in the catalogue not.
std::vector<TopicPartition> LogsOf(const DeletionImage& deletion,
                                   const std::vector<TopicPartition>& folders) {
  std::set<TopicPartition> logs;
  for (const TopicPartition& folder : folders) {
    if (folder.topic_id == deletion.id) logs.insert(folder);
  }
  for (int32_t i = 0; i < deletion.partitions; ++i) {
    logs.insert({.topic_id = deletion.id, .partition = PartitionId(i)});
  }
  return {logs.begin(), logs.end()};
}

}  // namespace

void LogDeletion::Adopt(const std::shared_ptr<const metadata::ClusterImage>& image) {
  if (is_stopping_) return;
  for (const auto& [id, deletion] : image->deletions) {
    const auto& brokers = deletion.brokers;
    const bool is_named =
        std::find(brokers.begin(), brokers.end(), dependencies_.self) != brokers.end();
    if (!is_named || runs_.contains(id)) continue;
    runs_.emplace(id, Run{.deletion = deletion, .logs_left = {}});
    CloseLogs(id);
  }
}

void LogDeletion::CloseLogs(const TopicId& id) {
  dependencies_.partitions.RetireTopic(
      id, [this, id] { dependencies_.admin_executor.Post([this, id] { ListLogs(id); }); });
}

void LogDeletion::ListLogs(const TopicId& id) {
  const auto folders = dependencies_.log_store.ListFolders();
  if (!GoesOn(id, folders.status())) return;
  Run& run = runs_.at(id);
  run.logs_left = LogsOf(run.deletion, *folders);
  DeleteNextLog(id);
}

void LogDeletion::DeleteNextLog(const TopicId& id) {
  Run& run = runs_.at(id);
  if (run.logs_left.empty()) return Confirm(id);
  const TopicPartition log = run.logs_left.back();
  dependencies_.log_store.DeleteLog(log, [this, id, log](absl::Status status) {
    dependencies_.admin_executor.Post([this, id, log, status = std::move(status)] {
      if (!GoesOn(id, status)) return;
      base::LogInfo("broker", "deleted log ", log.ToString());
      runs_.at(id).logs_left.pop_back();
      DeleteNextLog(id);
    });
  });
}

void LogDeletion::Confirm(const TopicId& id) {
  dependencies_.controller.ConfirmDeleted(id, dependencies_.self, [this, id](absl::Status status) {
    dependencies_.admin_executor.Post([this, id, status = std::move(status)] {
      if (!GoesOn(id, status)) return;
      base::LogInfo("broker", "topic ", runs_.at(id).deletion.name, " (", id.ToString(),
                    "): all logs of this broker are deleted");
      Finish(id);
    });
  });
}

bool LogDeletion::GoesOn(const TopicId& id, const absl::Status& status) {
  if (is_stopping_) {
    Finish(id);
    return false;
  }
  if (status.ok()) return true;
  Run& run = runs_.at(id);
  base::LogWarning("broker", "delete topic ", run.deletion.name, " (", id.ToString(),
                   "): ", base::FromAbsl(status.message()), "; next try in ",
                   absl::FormatDuration(run.retry));
  run.timer = dependencies_.admin_executor.PostAfter(run.retry, [this, id] {
    const auto waiting = runs_.find(id);
    if (waiting == runs_.end()) return;
    waiting->second.timer = base::TimerId::kNone;
    CloseLogs(id);
  });
  run.retry = std::min(run.retry * 2, kRetryMax);
  return false;
}

void LogDeletion::Finish(const TopicId& id) {
  runs_.erase(id);
  if (is_stopping_) FinishStop();
}

void LogDeletion::Stop(base::Task done) {
  is_stopping_ = true;
  stopped_ = std::move(done);
  for (auto entry = runs_.begin(); entry != runs_.end();) {
    const auto current = entry++;
    if (current->second.timer == base::TimerId::kNone) continue;
    dependencies_.admin_executor.Cancel(current->second.timer);
    runs_.erase(current);
  }
  FinishStop();
}

void LogDeletion::FinishStop() {
  // After a timer that had been posted already.
  if (runs_.empty()) dependencies_.admin_executor.Post(std::move(stopped_));
}

}  // namespace talosmq::broker
