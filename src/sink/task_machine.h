#pragma once

#include "sink/job_definition.h"
#include "sink/task_record.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace talosmq::sink {

/// The two clocks at one moment: hours end by the wall clock, everything else goes by the other.
struct Moment {
  absl::Time wall;
  absl::Duration monotonic;
};

/// What the driver shall do next. Each is answered by exactly one call of the machine.
struct ReadRecords {
  Offset offset;
};
struct SealFiles {
  std::vector<CommittedFile> files;  ///< To be synced, with their names free.
};
struct SaveRecord {
  TaskRecord record;
};
struct PublishFiles {
  Intent intent;
};
struct SweepFiles {
  int64_t epoch_max = 0;
};
/// All that was read is published and saved; nothing more will be asked for.
struct TaskEnded {};
using TaskAction =
    std::variant<ReadRecords, SealFiles, SaveRecord, PublishFiles, SweepFiles, TaskEnded>;

/// How one partition is dumped, without any I/O: events and time in, actions out.
///
///   start -> [publish -> save] -> sweep -> read -> ... -> seal -> save intent -> publish -> save
///   done
///            an open intent               ^                                                    |
///                                         +----------------------------------------------------+
///
/// Invariants: (1) the saved next_offset never exceeds what is in published files, but for an open
/// intent; (2) at most one intent is open, and nothing is read while one is; (3) a record is placed
/// in exactly one open file, and all open files are committed together, so that the position is one
/// number; (4) at most kOpenFilesMax files are open. An action that fails ends the machine's use:
/// the driver stops, and the record decides what the next epoch does. Thread-compatible.
class TaskMachine {
 public:
  /// `claimed`: as it was saved with this worker's epoch.
  TaskMachine(TaskRecord claimed, const RollLimits& roll)
      : record_(std::move(claimed)), roll_(roll), position_(record_.next_offset) {}

  TaskAction Start();

  // While reading. Records come in the order of their offsets, from position() on.
  Offset position() const { return position_; }
  /// The number of the open file for a record of `hour`, which may be a new one: the record must be
  /// Added to it next. Nothing when that would be one too many: what is open must be committed
  /// first.
  std::optional<int32_t> Place(Hour hour, Moment now);
  /// One record of `bytes` went into the open file `ordinal`. True: stop here, a bound is reached.
  [[nodiscard]] bool Added(int32_t ordinal, Offset offset, uint64_t bytes);
  /// What lies in [position(), next) cannot be read and is to be left out.
  void Skip(Offset next);
  /// Everything below `position` was placed, skipped or holds no record. Answers ReadRecords.
  TaskAction OnRead(Offset position, Moment now);
  /// Time has passed. Nothing: go on waiting for the read.
  std::optional<TaskAction> OnTime(Moment now);
  /// When OnTime has something to decide again; a wall clock that jumps is noticed within a minute.
  absl::Duration TimeToNext(Moment now) const;

  /// The action that was asked for last (any but ReadRecords) is done.
  TaskAction OnDone();

  /// Publishes what is open, then answers TaskEnded. An action only when one was due by this alone:
  /// while reading.
  std::optional<TaskAction> FinishSoon();

  const TaskRecord& record() const { return record_; }
  bool is_reading() const { return stage_ == Stage::kReading; }
  /// True while a saved or perhaps saved intent names the files that are open.
  bool may_have_intent() const {
    return stage_ == Stage::kSavingIntent || stage_ == Stage::kPublishing ||
           stage_ == Stage::kSavingDone;
  }

 private:
  enum class Stage {
    kSweeping,
    kReading,
    kSealing,
    kSavingIntent,
    kPublishing,
    kSavingDone,
    kEnded,
  };

  bool IsRollDue(Moment now) const;
  /// Seals when there is anything to commit; else reads on or ends.
  TaskAction Commit();
  TaskAction ReadOrEnd();
  TaskAction SaveDone();
  bool has_progress() const { return position_ > record_.next_offset; }

  TaskRecord record_;  ///< As saved last, or as it is being saved.
  const RollLimits roll_;
  Stage stage_ = Stage::kSweeping;
  bool is_finishing_ = false;
  bool is_swept_ = false;
  bool is_full_ = false;  ///< A bound of bytes, records or open files is reached.

  Offset position_;      ///< Invariant: >= record_.next_offset while no intent is open.
  int64_t skipped_ = 0;  ///< Offsets below position_ that record_ does not count yet.
  std::vector<CommittedFile> open_;
  int32_t ordinal_next_ = 0;
  std::optional<Moment> opened_;  ///< When the first thing not yet committed came.
};

}  // namespace talosmq::sink
