#pragma once

#include "base/bytes.h"
#include "io/file_system.h"
#include "storage/batch_chain.h"
#include "storage/checkpoint.h"
#include "storage/corruption.h"
#include "storage/journal_format.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::storage {

/// A group as it stands in a journal file.
struct FoundGroup {
  size_t file = 0;        ///< Index in JournalScan::paths.
  uint64_t position = 0;  ///< In that file.
  JournalGroup group;
};

/// Everything in the journal that has a right checksum, also what is out of date.
struct JournalScan {
  std::string directory;
  std::vector<std::string> paths;  ///< Of all journal files, ascending by number.
  std::vector<FoundGroup> groups;  ///< Ascending by sequence.

  uint64_t last_sequence() const { return groups.empty() ? 0 : groups.back().group.sequence; }
};

/// Reads headers and tables of all files of the journal in `directory`; batches are passed over. A
/// folder that is not there is an empty journal. Blocks on the disk.
absl::StatusOr<JournalScan> ScanJournal(io::FileSystem& file_system, const std::string& directory,
                                        const JournalIdentity& identity);

/// One section of a group, and where its batches lie.
struct FoundSection {
  size_t file = 0;
  uint64_t position = 0;  ///< Of its batches, in that file.
  JournalSection section;
};

/// What a journal holds that may not be in the segments yet.
struct LiveJournal {
  std::vector<FoundSection> sections;  ///< Oldest first.
  /// Groups that have to be there and are not: nobody knows which offsets they held.
  std::vector<Damage> lost;
  std::optional<Damage> tear;  ///< Why the newest group does not count.
};

/// Walks from the newest group to the oldest that is needed. A newest one that is not `recorded`
/// was being written when the process ended, so if its batches are damaged it was never
/// acknowledged and is left out; anything else that is missing is lost. Reads the batches of such a
/// newest group only.
absl::StatusOr<LiveJournal> SelectLive(io::FileSystem& file_system, const JournalScan& scan,
                                       const JournalMark& recorded);

/// The batches of a section, verified: chain, CRC and the section's check; a mismatch within them
/// otherwise.
struct SectionBatches {
  base::Buffer bytes;
  std::optional<Mismatch> mismatch;
};
absl::StatusOr<SectionBatches> ReadSection(const io::File& file, const FoundSection& found);

}  // namespace talosmq::storage
