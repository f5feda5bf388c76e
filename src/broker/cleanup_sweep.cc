#include "broker/cleanup_sweep.h"

#include "base/log.h"
#include "base/text.h"
#include "storage/retention.h"

#include <optional>
#include <utility>

namespace talosmq::broker {

CleanupSweep::CleanupSweep(Dependencies dependencies) : dependencies_(dependencies) {}

void CleanupSweep::Start() {
  if (is_stopped_) return;
  timer_ = dependencies_.admin_executor.PostAfter(dependencies_.interval, [this] { Run(); });
}

void CleanupSweep::Stop() {
  is_stopped_ = true;
  dependencies_.admin_executor.Cancel(timer_);
}

std::vector<TopicPartition> CleanupSweep::LogsLed() const {
  std::vector<TopicPartition> logs;
  for (const auto& [id, topic] : dependencies_.images.current()->topics_by_id) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      if (topic->partitions[i].leader != dependencies_.self) continue;
      logs.push_back({.topic_id = id, .partition = PartitionId(static_cast<int32_t>(i))});
    }
  }
  return logs;
}

void CleanupSweep::Run() {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (is_stopped_ || !pass.has_value()) return;
  const bool is_retention = dependencies_.work == Cleanup::kRetention;
  const absl::Time now =
      is_retention ? dependencies_.clock.NowForAges() : dependencies_.clock.Now();
  if (!is_retention && now < storage::kEarliestCreation) return Start();
  CleanNext(
      std::make_shared<Sweep>(Sweep{.logs = LogsLed(), .now = now, .pass = *std::move(pass)}));
}

void CleanupSweep::CleanNext(std::shared_ptr<Sweep> sweep) {
  while (!sweep->logs.empty() && !is_stopped_) {
    const TopicPartition log = sweep->logs.back();
    sweep->logs.pop_back();
    if (!dependencies_.log_store.HasRecords(log)) continue;
    if (!dependencies_.partitions.IsUsed(log)) {
      if (dependencies_.work == Cleanup::kCompaction || sweep->cold_logs_left == 0) continue;
      --sweep->cold_logs_left;
    }
    const absl::Time now = sweep->now;
    return dependencies_.partitions.CleanUp(
        log, dependencies_.work, now,
        [this, log, sweep = std::move(sweep)](const absl::Status& cleaned) mutable {
          if (!cleaned.ok()) {
            base::LogWarning("broker", "clean-up of log ", log.ToString(), ": ",
                             base::FromAbsl(cleaned.message()));
          }
          dependencies_.admin_executor.Post(
              [this, sweep = std::move(sweep)]() mutable { CleanNext(std::move(sweep)); });
        });
  }
  Start();
}

}  // namespace talosmq::broker
