#pragma once

#include "sink/job_definition.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::sink {

/// What is stored of jobs and their tasks; docs/formats/dump.md has the bytes.

enum class JobPhase : uint8_t {
  kRunning = 1,
  kPaused = 2,
  kFailed = 3,
  kDeleting = 4,  ///< Its tasks' records are being removed; its own goes last.
};

struct JobRecord {
  JobDefinition definition;
  TopicId topic_id;  ///< The topic that bore the name when the job was made. Never another one.
  JobPhase phase = JobPhase::kRunning;
  std::string error;  ///< Why it is kFailed; else empty.
  /// Drawn at random by each worker that begins to run the job, so that no two of them ever save
  /// the same bytes and each can tell what it saved itself.
  uint64_t claim = 0;

  friend bool operator==(const JobRecord&, const JobRecord&) = default;
};

/// Bounds JobRecord::error, so that a job's record stays far below the store's bound of a value.
inline constexpr size_t kJobErrorBytesMax = 8192;

/// Hours since 1970-01-01T00Z, or nothing for a record without a usable time.
using Hour = std::optional<int32_t>;

/// One file of a commit. The records in it are of one hour and lie within [first, last]; files of
/// the same commit may interleave, each record is in exactly one of them.
struct CommittedFile {
  int32_t ordinal = 0;  ///< Number of the temporary within its epoch.
  Hour hour;
  Offset first;
  Offset last;
  int64_t records = 0;
  uint64_t bytes = 0;

  friend bool operator==(const CommittedFile&, const CommittedFile&) = default;
};

/// A commit whose files are complete and synced and may or may not have their final names yet.
struct Intent {
  int64_t epoch = 0;   ///< Whose temporaries the files are. Invariant: <= the record's epoch.
  Offset next_offset;  ///< The record's next_offset once all files have their final names.
  std::vector<CommittedFile> files;

  friend bool operator==(const Intent&, const Intent&) = default;
};

/// Where the dump of one partition stands.
struct TaskRecord {
  int64_t epoch = 0;   ///< Of the one worker that may write it. Grows by one with each claim.
  uint64_t claim = 0;  ///< The job's, when the epoch began.
  TopicId topic_id;
  Offset next_offset;  ///< First offset that is in no published file, but for an open intent.
  int64_t files_published = 0;
  int64_t records_published = 0;
  int64_t bytes_published = 0;
  int64_t offsets_skipped = 0;  ///< Below next_offset, or that of the intent; could not be read.
  std::optional<Intent> intent;

  friend bool operator==(const TaskRecord&, const TaskRecord&) = default;
};

/// Open files of one partition at once; a record of one more hour publishes them all first. Also
/// bounds an intent, so that a task's record stays far below the store's bound of a value.
inline constexpr size_t kOpenFilesMax = 16;

std::string EncodeJobRecord(const JobRecord& record);
std::string EncodeTaskRecord(const TaskRecord& record);
/// Version 1, which knew nothing of on_corrupt, is read as well.
/// kUnsupportedVersion for another version byte; kCorruptData for bytes that are cut off, left over
/// or out of range.
absl::StatusOr<JobRecord> DecodeJobRecord(std::string_view bytes);
absl::StatusOr<TaskRecord> DecodeTaskRecord(std::string_view bytes);

}  // namespace talosmq::sink
