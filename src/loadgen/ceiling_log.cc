#include "loadgen/ceiling_log.h"

#include "base/status.h"

#include <utility>

namespace talosmq::loadgen {
namespace {

/// The largest step in which the server's own segments grow.
constexpr uint64_t kAllocationBytes = 16 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<CeilingLog>> CeilingLog::Create(io::FileSystem& file_system,
                                                               const std::string& path) {
  TALOSMQ_ASSIGN_OR_RETURN(std::unique_ptr<io::File> file,
                           file_system.Open(path, io::OpenMode::kCreateNew));
  return std::unique_ptr<CeilingLog>(new CeilingLog(file_system, path, std::move(file)));
}

CeilingLog::~CeilingLog() {
  file_.reset();
  // A file that stays behind is in nobody's way but the disk's, and nobody can act on it here.
  file_system_.Remove(path_).IgnoreError();
}

absl::Status CeilingLog::Append(const std::vector<base::Buffer>& group) {
  std::vector<base::ByteSpan> pieces;
  pieces.reserve(group.size());
  uint64_t bytes = 0;
  for (const base::Buffer& batch : group) {
    pieces.push_back(batch.bytes());
    bytes += batch.size();
  }
  while (end_ + bytes > allocated_) {
    allocated_ += kAllocationBytes;
    TALOSMQ_RETURN_IF_ERROR(file_->Preallocate(allocated_));
  }
  TALOSMQ_RETURN_IF_ERROR(file_->Write(end_, pieces));
  end_ += bytes;
  return file_->Sync();
}

}  // namespace talosmq::loadgen
