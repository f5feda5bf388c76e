#include "storage/journal.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/allocation.h"
#include "storage/segment.h"
#include "storage/segment_index.h"
#include "talosmq/error.h"

#include <algorithm>
#include <array>
#include <utility>

namespace talosmq::storage {
namespace {

JournalSection SectionOf(const LogWrite& write, const SegmentWrite& segment) {
  JournalSection section{.log = write.files->id,
                         .segment = segment.segment,
                         .position = segment.position,
                         .first_offset = {},
                         .end_offset = {},
                         .epochs = {}};
  RunCheck check(section.log);
  for (const base::Buffer& batch : segment.batches) {
    check.Add(batch.bytes());
    section.bytes += static_cast<uint32_t>(batch.size());
  }
  const auto first = record::ParseHeader(segment.batches.front().bytes());
  const auto last = record::ParseHeader(segment.batches.back().bytes());
  TALOSMQ_CHECK(first.ok() && last.ok()) << "a batch that was appended has a header";
  section.first_offset = first->base_offset;
  section.end_offset = last->end_offset();
  section.check = check.value();
  return section;
}

std::vector<JournalSection> SectionsOf(std::span<const LogWrite* const> writes) {
  std::vector<JournalSection> sections;
  for (const LogWrite* write : writes) {
    const size_t first = sections.size();
    for (const SegmentWrite& segment : write->segments) {
      // One that was only begun is begun again when it is needed.
      if (!segment.batches.empty()) sections.push_back(SectionOf(*write, segment));
    }
    sections[first].epochs = write->epochs;
  }
  return sections;
}

constexpr std::array<std::byte, kJournalBlockBytes> kZeros{};

}  // namespace

absl::StatusOr<JournalIdentity> LoadJournalIdentity(io::FileSystem& file_system,
                                                    const std::string& directory,
                                                    base::Random& random) {
  const std::string path = base::StrCat(directory, "/", kJournalIdentityFileName);
  const auto content = io::ReadFile(file_system, path, kJournalBlockBytes);
  if (content.ok()) {
    auto identity = DecodeJournalIdentity(base::AsBytes(*content));
    if (!identity.ok()) return base::Annotate(identity.status(), path);
    return identity;
  }
  if (!absl::IsNotFound(content.status())) return content.status();
  TALOSMQ_RETURN_IF_ERROR(file_system.MakeDirectories(directory));
  TALOSMQ_ASSIGN_OR_RETURN(const auto names, file_system.List(directory));
  for (const std::string& name : names) {
    if (!JournalFileNumber(name)) continue;
    return MakeError(Reason::kCorruptData,
                     base::StrCat(path,
                                  ": expected the identity of the journal, found no file "
                                  "beside ",
                                  name));
  }
  JournalIdentity identity;
  for (size_t i = 0; i < identity.size(); i += sizeof(uint64_t)) {
    base::StoreBigEndian(&identity[i], random.Next());
  }
  TALOSMQ_RETURN_IF_ERROR(
      io::WriteFileAtomically(file_system, path, base::AsBytes(EncodeJournalIdentity(identity))));
  return identity;
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(io::FileSystem& file_system, Options options,
                                                       Found found) {
  std::unique_ptr<Journal> journal(new Journal(file_system, std::move(options)));
  journal->sequence_ = found.last_sequence;
  if (found.paths.empty()) return journal;
  journal->last_number_ = JournalFileNumber(found.paths.back()).value_or(0);
  TALOSMQ_RETURN_IF_ERROR(found.stranded.empty() ? journal->Append({}, 0).status()
                                                 : journal->CarryOn(found.stranded));
  return journal;
}

absl::Status Journal::CarryOn(std::span<const LogWrite> stranded) {
  std::vector<const LogWrite*> writes;
  for (const LogWrite& write : stranded) writes.push_back(&write);
  const std::string path = NextPath();
  const std::string temporary = base::StrCat(options_.directory, "/", kJournalTemporaryFileName);
  TALOSMQ_ASSIGN_OR_RETURN(file_, file_system_.Open(temporary, io::OpenMode::kTruncate));
  files_.push_back({.path = path});
  TALOSMQ_RETURN_IF_ERROR(Append(writes, 0).status());
  file_.reset();  // The next group begins a file: errors of this one would name another.
  TALOSMQ_RETURN_IF_ERROR(file_system_.Rename(temporary, path));
  return file_system_.SyncDirectory(options_.directory);
}

absl::StatusOr<uint64_t> Journal::Append(std::span<const LogWrite* const> writes, uint64_t oldest) {
  ++sequence_;
  previous_good_ = last_good_;
  const JournalGroup group{.sequence = sequence_,
                           .before = last_good_,
                           .oldest = oldest == 0 ? sequence_ : oldest,
                           .sections = SectionsOf(writes)};
  const std::string head = EncodeJournalGroup(options_.identity, group, 0);
  const JournalGroupSize size{.table_bytes = head.size() - kJournalHeaderBytes,
                              .batch_bytes = group.batch_bytes()};
  const std::string copy = EncodeJournalGroup(options_.identity, group, size.copy_distance());
  const absl::Status written = Write(head, copy, writes, size);
  if (!written.ok()) {
    if (is_tainted_ && file_ != nullptr) files_[active_].is_broken = true;
    file_.reset();
    return written;
  }
  is_tainted_ = false;
  last_good_ = sequence_;
  oldest_ = group.oldest;
  return sequence_;
}

absl::Status Journal::Write(const std::string& head, const std::string& copy,
                            std::span<const LogWrite* const> writes, const JournalGroupSize& size) {
  const uint64_t bytes = size.total_bytes();
  const bool is_full = position_ > 0 && position_ + bytes > options_.file_bytes;
  if (file_ == nullptr || is_full) {
    TALOSMQ_RETURN_IF_ERROR(TakeFile());
    file_begin_ = sequence_;
  }
  std::vector<base::ByteSpan> pieces = {base::AsBytes(head)};
  const auto zeros = [](uint64_t count) {
    return base::ByteSpan(kZeros).first(static_cast<size_t>(count));
  };
  for (const LogWrite* write : writes) {
    for (const SegmentWrite& segment : write->segments) {
      for (const base::Buffer& batch : segment.batches) {
        pieces.push_back(batch.bytes());
      }
    }
  }
  pieces.push_back(zeros(size.copy_distance() - size.head_bytes() - size.batch_bytes));
  pieces.push_back(base::AsBytes(copy));
  pieces.push_back(zeros(bytes - size.copy_distance() - copy.size()));
  if (position_ + bytes > allocated_bytes_) {
    uint64_t allocation = NextAllocation(allocated_bytes_, position_ + bytes);
    absl::Status allocated = file_->Preallocate(allocation);
    if (ReasonOf(allocated) == Reason::kStorageFull) {
      allocation = position_ + bytes;
      allocated = file_->Preallocate(allocation);
    }
    TALOSMQ_RETURN_IF_ERROR(allocated);
    allocated_bytes_ = allocation;
  }
  JournalFile& file = files_[active_];
  file.newest = sequence_;  // Also when the write fails: some of it may be there.
  is_tainted_ = true;
  TALOSMQ_RETURN_IF_ERROR(file_->Write(position_, pieces));
  TALOSMQ_RETURN_IF_ERROR(file_->Sync());
  position_ += bytes;
  file.bytes = position_;
  return absl::OkStatus();
}

absl::Status Journal::TakeFile() {
  file_.reset();
  position_ = 0;
  const auto free = std::ranges::find_if(
      files_, [&](const JournalFile& file) { return file.newest < oldest_ && !file.is_broken; });
  active_ = static_cast<size_t>(free - files_.begin());
  if (free != files_.end()) {
    TALOSMQ_ASSIGN_OR_RETURN(file_, file_system_.Open(free->path, io::OpenMode::kReadWrite));
    TALOSMQ_ASSIGN_OR_RETURN(allocated_bytes_, file_->Size());
    free->bytes = 0;
    return absl::OkStatus();
  }
  const std::string path = NextPath();
  TALOSMQ_ASSIGN_OR_RETURN(auto file, file_system_.Open(path, io::OpenMode::kCreateNew));
  // One whose name may not be on the disk is never used.
  const absl::Status named = file_system_.SyncDirectory(options_.directory);
  if (!named.ok()) file_system_.Remove(path).IgnoreError();
  TALOSMQ_RETURN_IF_ERROR(named);
  file_ = std::move(file);
  files_.push_back({.path = path});
  allocated_bytes_ = 0;
  return absl::OkStatus();
}

std::string Journal::NextPath() {
  return base::StrCat(options_.directory, "/",
                      OffsetFileName(Offset(++last_number_), kJournalSuffix));
}

absl::Status Journal::GiveUp(uint64_t oldest) {
  if (file_ != nullptr) files_[active_].is_broken = true;
  file_.reset();
  last_good_ = previous_good_;
  const size_t files_before = files_.size();
  absl::Status given_up = Append({}, oldest).status();
  if (!given_up.ok() && files_.size() > files_before) {
    // Nothing else is in it, and the next attempt takes another one.
    file_system_.Remove(files_.back().path).IgnoreError();
    files_.pop_back();
  }
  return given_up;
}

uint64_t Journal::live_bytes(uint64_t oldest) const {
  uint64_t bytes = 0;
  for (const JournalFile& file : files_) {
    if (file.newest >= oldest) bytes += file.bytes;
  }
  return bytes;
}

}  // namespace talosmq::storage
