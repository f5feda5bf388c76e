#pragma once

#include "base/executor.h"
#include "io/file_system.h"
#include "storage/catalogue.h"
#include "storage/checkpoint.h"
#include "storage/flush_target.h"
#include "storage/journal_reader.h"
#include "storage/storage_metrics.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace talosmq::storage {

/// Where writes from the journal go: the folder of one log as it is now.
struct RestoreTarget {
  io::FileSystem& file_system;
  std::string data_directory;
  Catalogue& catalogue;
  StorageMetrics& metrics;
};

/// Brings writes that were durable in the journal to the segments of their logs, which are not
/// open: over what stands there already, and in new files behind it. What belongs below the newest
/// segment of a folder is there for certain (a segment is begun when the one before is complete and
/// synced) and is left out, since by now it may have been compacted or deleted. Blocks on the disk.
/// What became of each, at its place; an error when it concerns all of them, as one of the sync.
absl::StatusOr<std::vector<absl::Status>> RestoreSegments(const RestoreTarget& target,
                                                          std::span<const LogWrite> writes);

/// Bytes that a start leaves stranded at most.
inline constexpr int64_t kStrandedBytesMax = int64_t{128} << 20;

struct JournalReplay {
  /// Of the logs that it has brought something to: the end of that.
  FlushedPoints points;
  int64_t bytes = 0;               ///< Brought to the segments.
  std::vector<std::string> notes;  ///< One sentence for each thing worth an operator's look.
  int64_t damages = 0;             ///< Of the notes.
  std::string last_damage;         ///< The last of these.
  /// What could not be brought to the segments of single logs, one for each, and why, as status.
  std::vector<LogWrite> stranded;
};

/// What becomes of groups of the journal that are gone, of which nobody knows what offsets they
/// held.
enum class LostGroups {
  kRefuse,  ///< An error that names them: offsets that were acknowledged could be given again.
  kAccept,  ///< By the operator's word; they are told as damage.
};

struct JournalReplayInput {
  /// By the checkpoint; what lies below them is in the segments.
  const FlushedPoints& recorded;
  JournalMark journal = {};  ///< By the checkpoint.
  LostGroups lost_groups = LostGroups::kRefuse;
  base::Executor& executor;  ///< For LogFiles; nothing is posted.
};

/// Brings everything that counts in the journal to the segments. A log without a folder that the
/// catalogue does not know was deleted and is passed over. Running it again gives the same. Damage
/// in the journal is told in the result; what it hit becomes a damaged range of its log, below the
/// new point. A log whose files cannot be read or written is told in the result and changes nothing
/// for the others; with damage in the journal as well, or when it is more than kStrandedBytesMax,
/// it is an error.
absl::StatusOr<JournalReplay> ReplayJournal(const RestoreTarget& target,
                                            const JournalReplayInput& input,
                                            const JournalScan& scan);

}  // namespace talosmq::storage
