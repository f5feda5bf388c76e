#pragma once

#include "base/executor.h"
#include "broker/partition_table.h"
#include "controller/topic_controller.h"
#include "metadata/cluster_image.h"
#include "storage/log_store.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace talosmq::broker {

/// Deletes this broker's logs of deleted topics: closes the topic's partitions, deletes its logs
/// one after another, then takes this broker out of the deletion record.
///
/// Invariants:
/// 1. A log goes only because a deletion record names its topic and this broker (G10). A record
/// that
///    is gone in the meantime does no harm: an id is never used for another topic.
/// 2. A step that fails is tried again later; each may be repeated.
/// Confined to the admin executor, which also lists folders on the disk. Borrows what it is made
/// of; destroyed only after Stop() has called back.
/// Crash: the first image after a start shows the record still, and all begins anew.
class LogDeletion {
 public:
  struct Dependencies {
    PartitionTable& partitions;
    storage::LogStore& log_store;
    controller::TopicController& controller;
    base::Executor& admin_executor;
    BrokerId self;
  };

  static constexpr absl::Duration kRetryMin = absl::Seconds(1);
  static constexpr absl::Duration kRetryMax = absl::Minutes(1);

  explicit LogDeletion(Dependencies dependencies) : dependencies_(dependencies) {}

  /// Begins with the deletion records of `image` that are new to it.
  void Adopt(const std::shared_ptr<const metadata::ClusterImage>& image);
  /// Ends after the step that runs; what is left is done after the next start.
  void Stop(base::Task done);

 private:
  /// One topic's deletion.
  struct Run {
    metadata::DeletionImage deletion;
    std::vector<TopicPartition> logs_left;
    absl::Duration retry = kRetryMin;
    base::TimerId timer = base::TimerId::kNone;  ///< Set while it waits for its next try.
  };

  void CloseLogs(const TopicId& id);
  void ListLogs(const TopicId& id);
  void DeleteNextLog(const TopicId& id);
  void Confirm(const TopicId& id);
  void Finish(const TopicId& id);
  /// True when the run goes on; else it has been ended or put off.
  bool GoesOn(const TopicId& id, const absl::Status& status);
  void FinishStop();

  const Dependencies dependencies_;
  std::map<TopicId, Run> runs_;
  bool is_stopping_ = false;
  base::Task stopped_;  ///< What to run when the last run has ended.
};

}  // namespace talosmq::broker
