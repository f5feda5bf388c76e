#include "storage/direct_flush.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/allocation.h"
#include "storage/epoch_history.h"
#include "storage/fence.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::storage {

void DirectFlush::MakeDurable(std::span<LogWrite> group) {
  for (LogWrite& write : group) write.place = WritePlace::kSegments;
  for (auto rest = group; !rest.empty();
       rest = rest.subspan(std::min(kLogsAtOnceMax, rest.size()))) {
    MakeFilesDurable(rest.first(std::min(kLogsAtOnceMax, rest.size())));
  }
  EnterCatalogue(group);
  for (LogWrite& write : group) {
    if (!write.status.ok()) Release(*write.files);
  }
}

void DirectFlush::MakeFilesDurable(std::span<LogWrite> logs) {
  // All writes first and all syncs then, so that the disk has many of them to order.
  for (LogWrite& write : logs) write.status = WriteLog(write);
  for (LogWrite& write : logs) {
    if (!write.status.ok() || write.files->file == nullptr) continue;
    write.status = MayBeStored(write.files->file->Sync());
  }
  // By now everything open is synced, or is going to be with all others, so any of it may be
  // closed.
  while (open_.size() > kOpenFilesMax) Release(*open_.back());
}

void DirectFlush::Release(LogFiles& files) {
  if (files.file == nullptr) return;
  files.file.reset();
  metrics_.AddOpenFiles(-1);
  open_.erase(files.recently_used);  // May drop the last reference to `files`.
}

absl::Status DirectFlush::WriteLog(LogWrite& write) {
  LogFiles& files = *write.files;
  if (files.epochs_bytes == 0) {
    TALOSMQ_RETURN_IF_ERROR(file_system_.MakeDirectories(files.directory));
  }
  TALOSMQ_RETURN_IF_ERROR(WriteEpochs(write));
  const absl::Status written = WriteSegments(write);
  if (ReasonOf(written) != Reason::kStorageFull) return written;
  return on_full_disk_ == OnFullDisk::kTakeBack ? TakeBack(write, written) : MayBeStored(written);
}

absl::Status DirectFlush::WriteSegments(LogWrite& write) {
  LogFiles& files = *write.files;
  for (const SegmentWrite& segment : write.segments) {
    if (!files.has_segment || files.segment != segment.segment) {
      if (files.has_segment) {
        write.sealed.push_back({.segment = files.segment, .size = files.segment_end});
      }
      // The old segment is complete, and no later group will sync it.
      if (files.file != nullptr) TALOSMQ_RETURN_IF_ERROR(files.file->Sync());
      Release(files);
      TALOSMQ_RETURN_IF_ERROR(BeginSegment(files, segment.segment));
    }
    TALOSMQ_RETURN_IF_ERROR(OpenSegment(write.files, segment.segment));
    TALOSMQ_RETURN_IF_ERROR(WriteSegment(files, segment, write.allocation));
  }
  return absl::OkStatus();
}

absl::Status DirectFlush::TakeBack(const LogWrite& write, absl::Status cause) {
  const LogFiles& files = *write.files;
  const SegmentWrite& first = write.segments.front();
  const bool is_in_first = files.has_segment && files.segment == first.segment;
  const bool is_beyond_first = files.has_segment && files.segment > first.segment;
  if (is_beyond_first || (is_in_first && files.segment_end > first.position)) {
    return MayBeStored(std::move(cause));
  }
  if (!is_in_first || files.file == nullptr) return cause;
  absl::Status cut = files.file->Truncate(first.position);
  if (cut.ok()) cut = files.file->Sync();
  return cut.ok() ? cause : MayBeStored(std::move(cause));
}

absl::Status DirectFlush::WriteEpochs(LogWrite& write) {
  if (write.epochs.empty()) return absl::OkStatus();
  LogFiles& files = *write.files;
  const bool is_new = files.epochs_bytes == 0;
  std::string content;
  if (is_new) content = base::AsText(EncodeEpochsHeader(files.id));
  for (const EpochEntry& entry : write.epochs) {
    content += base::AsText(EncodeEpochEntry(files.id, entry));
  }
  const std::string path = base::StrCat(files.directory, "/", kEpochFileName);
  TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system_.Open(path, io::OpenMode::kCreate));
  const std::array<base::ByteSpan, 1> pieces = {base::AsBytes(content)};
  TALOSMQ_RETURN_IF_ERROR(file->Write(files.epochs_bytes, pieces));
  TALOSMQ_RETURN_IF_ERROR(file->Sync());
  // Also for an old file: an opening that failed may have left names that only the cache holds.
  TALOSMQ_RETURN_IF_ERROR(file_system_.SyncDirectory(files.directory));
  files.epochs_bytes += content.size();
  return absl::OkStatus();
}

absl::Status DirectFlush::BeginSegment(LogFiles& files, Offset segment) {
  const std::string path =
      base::StrCat(files.directory, "/", OffsetFileName(segment, kSegmentSuffix));
  TALOSMQ_RETURN_IF_ERROR(file_system_.Open(path, io::OpenMode::kCreateNew).status());
  TALOSMQ_RETURN_IF_ERROR(file_system_.SyncDirectory(files.directory));
  files.segment = segment;
  files.has_segment = true;
  files.segment_end = 0;
  files.allocated_bytes = 0;
  return absl::OkStatus();
}

absl::Status DirectFlush::OpenSegment(const std::shared_ptr<LogFiles>& files, Offset segment) {
  if (files->file != nullptr) {
    open_.splice(open_.begin(), open_, files->recently_used);
    return absl::OkStatus();
  }
  const std::string path =
      base::StrCat(files->directory, "/", OffsetFileName(segment, kSegmentSuffix));
  TALOSMQ_ASSIGN_OR_RETURN(files->file, file_system_.Open(path, io::OpenMode::kReadWrite));
  metrics_.AddOpenFiles(1);
  files->recently_used = open_.insert(open_.begin(), files);
  return absl::OkStatus();
}

absl::Status DirectFlush::WriteSegment(LogFiles& files, const SegmentWrite& write,
                                       Allocation allocation) {
  if (write.batches.empty()) return absl::OkStatus();
  TALOSMQ_CHECK(write.position == files.segment_end)
      << files.id.ToString() << ": expected " << files.segment_end << ", found " << write.position;
  std::vector<base::ByteSpan> pieces;
  pieces.reserve(write.batches.size());
  uint64_t end = write.position;
  for (const base::Buffer& batch : write.batches) {
    pieces.push_back(batch.bytes());
    end += batch.size();
  }
  if (allocation == Allocation::kAhead) TALOSMQ_RETURN_IF_ERROR(AllocateAhead(files, end));
  TALOSMQ_RETURN_IF_ERROR(files.file->Write(write.position, pieces));
  files.segment_end = end;
  return absl::OkStatus();
}

absl::Status DirectFlush::AllocateAhead(LogFiles& files, uint64_t end) {
  if (end <= files.allocated_bytes) return absl::OkStatus();
  uint64_t size = NextAllocation(files.allocated_bytes, end);
  absl::Status allocated = files.file->Preallocate(size);
  if (ReasonOf(allocated) == Reason::kStorageFull) {
    // A large step is too much for what is left; the batches themselves may not be.
    size = end;
    allocated = files.file->Preallocate(size);
  }
  if (allocated.ok()) files.allocated_bytes = size;
  return allocated;
}

void DirectFlush::EnterCatalogue(std::span<LogWrite> group) {
  std::vector<LogWrite*> writes;
  std::vector<TopicPartition> logs;
  for (LogWrite& write : group) {
    if (!write.status.ok() || write.files->is_in_catalogue || !write.files->has_segment) continue;
    writes.push_back(&write);
    logs.push_back(write.files->id);
  }
  if (logs.empty()) return;
  const absl::Status entered = MayBeStored(catalogue_.Add(logs));
  for (LogWrite* write : writes) {
    write->status = entered;
    write->files->is_in_catalogue = entered.ok();
  }
}

}  // namespace talosmq::storage
