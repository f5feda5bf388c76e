#pragma once

#include "base/random.h"
#include "io/file_system.h"
#include "storage/flush_target.h"
#include "storage/journal_format.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace talosmq::storage {

/// The writing side of the journal of a data directory: one group after another into files that are
/// used again once nothing in them counts any more.
///
/// Invariants:
/// 1. A group that was answered with OK is on the disk, and the groups it needs behind it.
/// 2. A group that failed counts for no reader once a later one is durable; until that is so,
///    nothing that comes later may become durable anywhere (GiveUp): it could have the same
///    offsets.
/// 3. A file with a group that counts for the last durable one is not written over.
/// Confined to the flush executor. Crash: SelectLive() finds what counts.
class Journal {
 public:
  struct Options {
    std::string directory;
    JournalIdentity identity;
    uint64_t file_bytes = uint64_t{64} << 20;  ///< At which the next file is taken.
  };
  /// What a scan has found, all of which is in the segments by now but for what is stranded.
  struct Found {
    std::vector<std::string> paths;
    uint64_t last_sequence = 0;
    std::span<const LogWrite> stranded = {};
  };
  /// Makes it durable that nothing of what was found counts any more: its files may go then. What
  /// is stranded is in a new group, the only one.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(io::FileSystem& file_system, Options options,
                                                       Found found);

  /// Writes one group and syncs it; its sequence. `oldest`: groups below it do not count any more,
  /// whether or not this one comes to count; 0: all that came before this one.
  absl::StatusOr<uint64_t> Append(std::span<const LogWrite* const> writes, uint64_t oldest);
  /// Whether the last Append that failed may have left something that a reader would find.
  bool is_tainted() const { return is_tainted_; }
  /// After such a failure, or when what Append has written must not count: makes that durable, in
  /// another file. May be tried again.
  absl::Status GiveUp(uint64_t oldest);

  /// Of the last group that counts; 0: there was none since the start.
  uint64_t newest_sequence() const { return last_good_; }
  /// Of the group that the next Append tries.
  uint64_t next_sequence() const { return sequence_ + 1; }
  /// Of the first group that was tried in the file now written to.
  uint64_t file_begin() const { return file_begin_; }
  /// Of the files that hold groups which count, from the oldest one on.
  uint64_t live_bytes(uint64_t oldest) const;

 private:
  struct JournalFile {
    std::string path;
    uint64_t newest = 0;  ///< Sequence of the last group that was written to it; 0: none counts.
    uint64_t bytes = 0;   ///< Of those groups.
    bool is_broken = false;
  };

  Journal(io::FileSystem& file_system, Options options)
      : file_system_(file_system), options_(std::move(options)) {}

  /// Begins the journal with a group that is there as a whole or not at all: torn, it would disown
  /// the old ones and not have what it carries on.
  absl::Status CarryOn(std::span<const LogWrite> stranded);
  absl::Status Write(const std::string& head, const std::string& copy,
                     std::span<const LogWrite* const> writes, const JournalGroupSize& size);
  absl::Status TakeFile();
  std::string NextPath();

  io::FileSystem& file_system_;
  const Options options_;
  std::vector<JournalFile> files_;
  size_t active_ = 0;  ///< Index in files_; holds while file_ is open.
  std::unique_ptr<io::File> file_;
  uint64_t position_ = 0;
  uint64_t allocated_bytes_ = 0;
  int64_t last_number_ = 0;     ///< In the name of the newest file.
  uint64_t file_begin_ = 0;     ///< Of the first group that was tried in the active file.
  uint64_t sequence_ = 0;       ///< Of the last group that was tried.
  uint64_t last_good_ = 0;      ///< Of the last one that counts; 0: none.
  uint64_t previous_good_ = 0;  ///< Of the last one that counted before the last Append.
  /// What a reader that finds the last good group takes for the oldest one that counts.
  uint64_t oldest_ = 0;
  bool is_tainted_ = false;
};

/// The identity of the journal in `directory`; made on first use. kCorruptData for a damaged one:
/// without it no group can be told from a forged one.
absl::StatusOr<JournalIdentity> LoadJournalIdentity(io::FileSystem& file_system,
                                                    const std::string& directory,
                                                    base::Random& random);

}  // namespace talosmq::storage
