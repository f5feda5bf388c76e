#include "storage/tail_repair.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/salvage_read.h"
#include "storage/segment.h"

#include <algorithm>
#include <array>
#include <vector>

namespace talosmq::storage {
namespace {

/// Writes the bytes [begin, end) of a file over themselves: after a failed sync the kernel counts
/// them as clean, and a mere second sync would not bring them to the disk. What cannot be read
/// stays.
absl::Status Rewrite(io::File& file, uint64_t begin, uint64_t end) {
  constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
  std::vector<std::byte> piece;
  while (begin < end) {
    piece.resize(static_cast<size_t>(std::min(end - begin, kPieceBytes)));
    const SalvagedBytes read = SalvageRead(file, begin, piece);
    if (read.size != piece.size()) {
      return MakeError(Reason::kCorruptData,
                       base::StrCat("the file became shorter while it was recovered: expected ",
                                    piece.size(), " bytes at ", begin, ", found ", read.size));
    }
    uint64_t written = begin;
    const auto write_up_to = [&](uint64_t stretch_end) {
      const std::array<base::ByteSpan, 1> pieces = {base::ByteSpan(piece).subspan(
          static_cast<size_t>(written - begin), static_cast<size_t>(stretch_end - written))};
      return pieces[0].empty() ? absl::OkStatus() : file.Write(written, pieces);
    };
    for (const UnreadableBytes& bytes : read.unreadable) {
      TALOSMQ_RETURN_IF_ERROR(write_up_to(bytes.begin));
      written = bytes.end;
    }
    TALOSMQ_RETURN_IF_ERROR(write_up_to(begin + piece.size()));
    begin += piece.size();
  }
  return absl::OkStatus();
}

/// Position from which the bytes of a segment lie above the flushed point.
uint64_t FlushedPosition(const RecoveryPlan& plan, const ScannedSegment& segment) {
  if (segment.base < plan.flushed.segment) return segment.end_position;
  return segment.base == plan.flushed.segment ? plan.flushed.position : 0;
}

absl::Status RepairSegment(io::FileSystem& file_system, const std::string& path,
                           const RecoveryPlan& plan, const ScannedSegment& segment) {
  const uint64_t begin = FlushedPosition(plan, segment);
  const bool is_new = begin < segment.end_position;
  const bool is_long = segment.file_bytes > segment.end_position;
  if (!is_new && !is_long) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, io::OpenMode::kReadWrite));
  if (is_new) TALOSMQ_RETURN_IF_ERROR(Rewrite(*file, begin, segment.end_position));
  if (is_long) TALOSMQ_RETURN_IF_ERROR(file->Truncate(segment.end_position));
  return file->Sync();
}

}  // namespace

absl::StatusOr<RepairedTail> RepairTail(io::FileSystem& file_system, const LogFolder& folder,
                                        const RecoveryPlan& plan, const TailScan& scan) {
  RepairedTail repaired;
  bool must_sync_names = false;
  for (const ScannedSegment& segment : scan.segments) {
    TALOSMQ_RETURN_IF_ERROR(
        RepairSegment(file_system, folder.Path(segment.base, kSegmentSuffix), plan, segment));
    const uint64_t begin = FlushedPosition(plan, segment);
    must_sync_names = must_sync_names || begin == 0;
    if (segment.end_position > begin) {
      repaired.kept_bytes += static_cast<int64_t>(segment.end_position - begin);
    }
    if (segment.file_bytes > segment.end_position) {
      repaired.cut_bytes += static_cast<int64_t>(segment.file_bytes - segment.end_position);
    }
  }
  if (must_sync_names || repaired.kept_bytes > 0 || repaired.cut_bytes > 0) {
    TALOSMQ_RETURN_IF_ERROR(file_system.SyncDirectory(folder.directory));
  }
  return repaired;
}

absl::Status CutIndex(io::FileSystem& file_system, const LogFolder& folder, Offset segment,
                      uint64_t size) {
  if (!folder.HasIndex(segment)) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(folder.Path(segment, kIndexSuffix),
                                                             io::OpenMode::kReadWrite));
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t found, file->Size());
  if (found <= size) return absl::OkStatus();
  TALOSMQ_RETURN_IF_ERROR(file->Truncate(size));
  return file->Sync();
}

absl::Status RewriteIndex(io::FileSystem& file_system, const LogFolder& folder, Offset segment,
                          uint64_t size) {
  if (!folder.HasIndex(segment)) return absl::OkStatus();
  const std::string path = folder.Path(segment, kIndexSuffix);
  std::vector<std::byte> content(static_cast<size_t>(size));
  if (size > 0) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, io::OpenMode::kRead));
    TALOSMQ_ASSIGN_OR_RETURN(const size_t read, file->Read(0, content));
    content.resize(read);
  }
  return io::WriteFileAtomically(file_system, path, content);
}

}  // namespace talosmq::storage
