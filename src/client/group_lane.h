#pragma once

#include "client/group_calls.h"
#include "client/group_core.h"
#include "talosmq/group_push_consumer.h"
#include "talosmq/push_consumer.h"

#include "absl/status/status.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace talosmq::client {

/// How far a lane of a group has come, for who commits it. Thread-safe. Shared by the lane and the
/// core that commits by time.
struct LaneProgress {
  static constexpr int64_t kNothing = -1;

  std::atomic<int64_t> processed{kNothing};  ///< To be committed: the next offset to process.
  std::atomic<int64_t> committed{kNothing};  ///< Handed over to be, or before.
  /// The lease has ended, or the partition is another's: nothing can be committed.
  std::atomic<bool> is_lost{false};
  /// When the call of the processor that runs began; kNotBusy: none runs.
  std::atomic<int64_t> busy_since_ns{kNotBusy};

  /// What is processed and not committed; taken as committed from now on.
  std::optional<Offset> TakeUncommitted();
};

/// A GroupProcessor as the Processor of a PushLane, with its Checkpointer. Confined to the lane's
/// thread, and owned by the lane.
class GroupLaneProcessor final : public Processor, public Checkpointer {
 public:
  struct Options {
    TopicPartition source;
    std::string topic;
    bool auto_commit = true;
    int64_t commit_records = 0;
  };
  struct Deps {
    base::Executor& executor;
    std::shared_ptr<GroupCore> group;
    std::shared_ptr<LaneProgress> progress;
    std::unique_ptr<GroupProcessor> processor;
    /// After Shutdown and the last commit.
    std::function<void()> on_shut_down;
  };

  GroupLaneProcessor(Options options, Deps deps)
      : options_(std::move(options)), deps_(std::move(deps)) {}

  void Init(PartitionId partition, Offset start) override;
  absl::Status Process(const RecordBatchView& records) override;
  void Shutdown(const absl::Status& why) override;

  absl::Status Commit() override;
  absl::Status Commit(Offset next) override;

 private:
  void NoteBusy();
  absl::Status CheckLive() const;
  absl::Status CommitAndWait(Offset next);

  const Options options_;
  Deps deps_;
  Offset given_;  ///< One past the last record that Process was given.
  int64_t uncommitted_records_ = 0;
};

/// Commits these as the member that it is now; what fails is not committed, so that it is handed
/// over again. `done` may be empty. Thread-safe.
void CommitProgress(base::Executor& executor, const std::shared_ptr<GroupCore>& group,
                    std::vector<std::pair<OffsetCommit, std::shared_ptr<LaneProgress>>> commits,
                    base::Callback<absl::Status> done);

}  // namespace talosmq::client
