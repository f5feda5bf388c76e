#include "storage/journal_reader.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/run_verifier.h"
#include "storage/segment_index.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::storage {
namespace {

/// Reads one file from group to group, or from block to block where there is none.
absl::Status ScanFile(const io::File& file, const JournalIdentity& identity, size_t index,
                      std::vector<FoundGroup>& groups) {
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t end, file.Size());
  std::vector<std::byte> window(size_t{1} << 20);
  uint64_t window_position = 0;
  size_t window_bytes = 0;
  for (uint64_t position = 0; position + kJournalHeaderBytes <= end;) {
    if (position < window_position ||
        position + kJournalHeaderBytes > window_position + window_bytes) {
      window_position = position;
      TALOSMQ_ASSIGN_OR_RETURN(window_bytes, file.Read(position, window));
      if (window_bytes < kJournalHeaderBytes) break;
    }
    const base::ByteSpan header =
        base::ByteSpan(window).subspan(position - window_position, kJournalHeaderBytes);
    TALOSMQ_ASSIGN_OR_RETURN(const auto size, ReadJournalHeader(identity, header));
    const bool is_possible = size && size->distance <= position &&
                             position - size->distance + size->total_bytes() <= end;
    if (!is_possible) {
      position += kJournalBlockBytes;
      continue;
    }
    std::vector<std::byte> head(size->head_bytes());
    TALOSMQ_ASSIGN_OR_RETURN(const size_t read, file.Read(position, head));
    auto group = read == head.size() ? DecodeJournalGroup(head) : std::nullopt;
    if (!group) {
      position += kJournalBlockBytes;
      continue;
    }
    // A copy is met only when the header or the table before it is damaged.
    const uint64_t begin = position - size->distance;
    groups.push_back({.file = index, .position = begin, .group = std::move(*group)});
    position = begin + size->total_bytes();
  }
  return absl::OkStatus();
}

std::vector<FoundSection> SectionsOf(const FoundGroup& found) {
  std::vector<FoundSection> sections;
  const auto& all = found.group.sections;
  size_t epochs = 0;
  for (const JournalSection& section : all) epochs += section.epochs.size();
  uint64_t position = found.position + kJournalHeaderBytes + all.size() * kJournalSectionBytes +
                      epochs * kJournalEpochBytes;
  for (const JournalSection& section : all) {
    sections.push_back({.file = found.file, .position = position, .section = section});
    position += section.bytes;
  }
  return sections;
}

/// Why the batches of a group are not what its table says; nothing when they are.
absl::StatusOr<std::optional<Damage>> FindDamage(io::FileSystem& file_system,
                                                 const std::string& path, const FoundGroup& group) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, io::OpenMode::kRead));
  for (const FoundSection& section : SectionsOf(group)) {
    TALOSMQ_ASSIGN_OR_RETURN(const SectionBatches batches, ReadSection(*file, section));
    if (batches.mismatch) return DamageAt(path, section.position, *batches.mismatch);
  }
  return std::nullopt;
}

/// The journal ends before the group that was recorded as durable.
Damage LostEnd(const JournalScan& scan, const JournalMark& recorded) {
  Damage damage{.file = scan.directory,
                .position = 0,
                .expected = base::StrCat("groups up to ", recorded.newest, " of the journal, from ",
                                         recorded.oldest, " on needed, by the checkpoint"),
                .found = "none with a right checksum"};
  if (scan.groups.empty()) return damage;
  damage.file = scan.paths[scan.groups.back().file];
  damage.position = scan.groups.back().position;
  damage.found = base::StrCat("group ", scan.last_sequence(), " as the newest one of all files");
  return damage;
}

}  // namespace

absl::StatusOr<JournalScan> ScanJournal(io::FileSystem& file_system, const std::string& directory,
                                        const JournalIdentity& identity) {
  JournalScan scan{.directory = directory, .paths = {}, .groups = {}};
  auto names = file_system.List(directory);
  if (absl::IsNotFound(names.status())) return scan;
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (JournalFileNumber(name)) scan.paths.push_back(base::StrCat(directory, "/", name));
  }
  for (size_t i = 0; i < scan.paths.size(); ++i) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(scan.paths[i], io::OpenMode::kRead));
    const absl::Status scanned = ScanFile(*file, identity, i, scan.groups);
    if (!scanned.ok()) return base::Annotate(scanned, scan.paths[i]);
  }
  std::ranges::sort(scan.groups, {}, [](const FoundGroup& found) { return found.group.sequence; });
  return scan;
}

absl::StatusOr<LiveJournal> SelectLive(io::FileSystem& file_system, const JournalScan& scan,
                                       const JournalMark& recorded) {
  LiveJournal live;
  if (recorded.is_needed() && scan.last_sequence() < recorded.newest) {
    live.lost.push_back(LostEnd(scan, recorded));
  }
  if (scan.groups.empty()) return live;
  const FoundGroup& newest = scan.groups.back();
  if (newest.group.sequence > recorded.newest) {
    TALOSMQ_ASSIGN_OR_RETURN(live.tear, FindDamage(file_system, scan.paths[newest.file], newest));
  }
  // No later group of the same process would pass over what is recorded: it is the one that a start
  // wrote as a whole, and it has what older ones had.
  if (live.tear && recorded.is_needed() && newest.group.before < recorded.newest) {
    live.lost.push_back(*live.tear);
  }
  const uint64_t oldest = std::max(newest.group.oldest, recorded.oldest);
  const FoundGroup* later = &newest;
  uint64_t expected = live.tear ? newest.group.before : newest.group.sequence;
  std::vector<const FoundGroup*> groups;
  while (expected >= oldest && expected > 0) {
    const auto above = std::ranges::upper_bound(
        scan.groups, expected, {}, [](const FoundGroup& found) { return found.group.sequence; });
    const FoundGroup* found = above == scan.groups.begin() ? nullptr : &*std::prev(above);
    if (found == nullptr || found->group.sequence != expected) {
      live.lost.push_back(
          {.file = scan.paths[later->file],
           .position = later->position,
           .expected = base::StrCat("group ", expected, " of the journal before group ",
                                    later->group.sequence),
           .found = "none with a right checksum"});
    }
    if (found == nullptr || found->group.sequence < oldest) break;
    groups.push_back(found);
    later = found;
    expected = found->group.before;
  }
  std::ranges::reverse(groups);
  for (const FoundGroup* group : groups) {
    std::ranges::move(SectionsOf(*group), std::back_inserter(live.sections));
  }
  return live;
}

absl::StatusOr<SectionBatches> ReadSection(const io::File& file, const FoundSection& found) {
  const JournalSection& section = found.section;
  SectionBatches batches{.bytes = base::Buffer::Allocate(section.bytes), .mismatch = {}};
  TALOSMQ_ASSIGN_OR_RETURN(const size_t read,
                           file.Read(found.position, batches.bytes.mutable_bytes()));
  std::vector<VerifiedBatch> verified;
  batches.mismatch = VerifyRun(batches.bytes.bytes().first(read),
                               {.log = section.log,
                                .entry = {.first_offset = section.first_offset,
                                          .end_offset = section.end_offset,
                                          .position = 0,
                                          .size = section.bytes,
                                          .check = section.check}},
                               0, verified);
  return batches;
}

}  // namespace talosmq::storage
