#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "record/batch.h"
#include "sink/back_off.h"
#include "sink/format.h"
#include "sink/job_state.h"
#include "sink/open_files.h"
#include "sink/record_source.h"
#include "sink/target.h"
#include "sink/task_machine.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace talosmq::sink {

/// What one read may bring, unless a single batch is larger.
inline constexpr int64_t kReadBytesMax = int64_t{1} << 20;
/// How long a read waits at the source for records.
inline constexpr absl::Duration kReadWait = absl::Seconds(10);

/// Counts what was published. The registry owns them.
struct PublishCounters {
  base::Counter& files;
  base::Counter& records;
  base::Counter& bytes;
  base::Counter& skipped;  ///< Offsets that were left out.
};

/// One partition of one run of a job.
struct PartitionAssignment {
  TaskKey key;
  std::string topic;
  TopicPartition source;
  RollLimits roll;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  uint64_t claim = 0;  ///< Of the job's run.
  StateVersion job_version = StateVersion::kNone;
  std::optional<StoredTask> stored;  ///< What an earlier run left; nothing: a new partition.
};

/// The worker that dumps one partition: claims its task (epoch + 1), then does the I/O that its
/// TaskMachine asks for.
///
/// Errors of the source and of the store that may pass are tried again with back-off. Records that
/// cannot be read are passed over, or end the worker once all before them is published. Everything
/// else, above all any error of the target, ends it. Confined to the sink's executor.
/// Shared because reads and saves that are under way refer to it; whoever runs it stops it. A
/// crash, or Stop, at any point leaves what the next claim finishes or writes anew.
class PartitionDump : public std::enable_shared_from_this<PartitionDump> {
 public:
  struct Services {
    RecordSource& source;
    JobState& state;
    base::Executor& executor;
    const base::Clock& clock;
    PublishCounters counters;
    const Format& format;
  };
  /// OK after FinishSoon; kFencedEpoch when somebody else has the task now.
  using Ended = base::Callback<absl::Status>;

  PartitionDump(const Services& services, PartitionAssignment assignment,
                std::unique_ptr<Target> target, Ended ended);

  void Start();
  /// Publishes what is open, then ends with OK.
  void FinishSoon();
  /// Stops at once, without calling Ended; removes what is open unless an intent may name it.
  void Stop();

  /// As saved last or being saved; nothing before the first claim.
  const TaskRecord* record() const { return machine_.has_value() ? &machine_->record() : nullptr; }
  Offset high_watermark() const { return high_watermark_; }

 private:
  void FindStart();
  void OnStartFound(const absl::StatusOr<Offset>& start);
  void Claim(TaskRecord record);
  void OnClaimed(TaskRecord record);

  void Do(TaskAction action);
  void DoAction(const ReadRecords& action);
  void DoAction(const SealFiles& action);
  void DoAction(const SaveRecord& action);
  void DoAction(const PublishFiles& action);
  void DoAction(const SweepFiles& action);
  void DoAction(const TaskEnded& action);
  /// Goes on when `status` is OK, else ends.
  void OnActionDone(const absl::Status& status);

  void OnRead(uint64_t round, absl::StatusOr<SourceRead> read);
  /// Places what `read` holds; stops early when the machine says so.
  absl::StatusOr<Offset> Take(const SourceRead& read, Moment now);
  /// False: stop here. Records below the machine's position are left out.
  absl::StatusOr<bool> TakeBatch(const record::BatchHeader& header, base::ByteSpan batch,
                                 Moment now);
  /// Goes on at `next` when the job skips what cannot be read; else the error, which is kept.
  absl::Status PassOver(Offset next, const absl::Status& why);
  /// Publishes what was read before the unreadable, then ends with that error.
  void EndWhenPublished();
  void ArmTimer();
  void OnTimer();

  void Save(TaskRecord record, base::Task saved);
  void RetryLater(base::Task task);
  void End(const absl::Status& status);
  void Release();
  std::string Where() const;
  Moment Now() const { return {services_.clock.Now(), services_.clock.Monotonic()}; }

  const Services services_;
  const PartitionAssignment assignment_;
  const std::unique_ptr<Target> target_;
  Ended ended_;

  StateVersion version_;                ///< Of the task's record.
  std::optional<TaskMachine> machine_;  ///< From the claim on.
  std::optional<OpenFiles> files_;      ///< Likewise.
  Offset high_watermark_{0};
  BackOff back_off_;
  /// Tells the answer to the newest read from those that came too late.
  uint64_t read_round_ = 0;
  base::TimerId timer_ = base::TimerId::kNone;  ///< Wakes the machine while it reads.
  base::TimerId retry_ = base::TimerId::kNone;
  absl::Status unreadable_;  ///< Not OK: what the worker ends with, once all before is published.
  bool is_claiming_ = false;
  bool is_finishing_ = false;
  bool is_over_ = false;
};

}  // namespace talosmq::sink
