#pragma once

#include "base/executor.h"
#include "base/gate.h"
#include "broker/partition_table.h"
#include "broker/sweep_clock.h"
#include "metadata/image_publisher.h"
#include "storage/log_store.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace talosmq::broker {

/// Applies retention or compaction, as their topics have it, to the logs of this broker: every
/// `interval` one after another, so that many logs are no burst.
///
/// Of logs that nothing has used since the start, retention opens kColdLogsMax a sweep, until all
/// are. Ages are measured by the SweepClock; while it shows a time that cannot be, nothing is
/// compacted, since the tombstones would be told to go at a wrong one.
/// Confined to the admin executor. Borrows what it is made of; goes after Stop(), once the gate is
/// closed and empty.
class CleanupSweep {
 public:
  static constexpr size_t kColdLogsMax = 100;

  struct Dependencies {
    PartitionTable& partitions;
    storage::LogStore& log_store;
    metadata::ImagePublisher& images;
    base::Executor& admin_executor;
    base::Gate& admin_gate;  ///< Held by a sweep under way.
    SweepClock& clock;
    BrokerId self;
    Cleanup work;
    absl::Duration interval;
  };

  explicit CleanupSweep(Dependencies dependencies);

  /// Begins with the first sweep in one interval from now.
  void Start();
  void Stop();

 private:
  /// The logs of one sweep that are left, the next one last.
  struct Sweep {
    std::vector<TopicPartition> logs;
    size_t cold_logs_left = kColdLogsMax;
    absl::Time now;
    base::Gate::Pass pass;
  };

  void Run();
  void CleanNext(std::shared_ptr<Sweep> sweep);
  std::vector<TopicPartition> LogsLed() const;
  const Dependencies dependencies_;
  base::TimerId timer_ = base::TimerId::kNone;
  bool is_stopped_ = false;
};

}  // namespace talosmq::broker
