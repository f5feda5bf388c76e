#include "sink/open_files.h"

#include "base/status.h"

#include <utility>

namespace talosmq::sink {

absl::StatusOr<uint64_t> OpenFiles::Append(int32_t ordinal, const SourceRecord& record) {
  Entry& entry = files_[ordinal];
  if (entry.file == nullptr) {
    TALOSMQ_ASSIGN_OR_RETURN(entry.file, target_.Create(epoch_, ordinal));
  }
  const size_t size_before = entry.buffer.size();
  format_.Append(record, entry.buffer);
  const uint64_t bytes = entry.buffer.size() - size_before;
  if (entry.buffer.size() >= kBufferBytesMax) TALOSMQ_RETURN_IF_ERROR(Flush(entry));
  return bytes;
}

absl::Status OpenFiles::Flush(Entry& entry) {
  if (entry.buffer.empty()) return absl::OkStatus();
  TALOSMQ_RETURN_IF_ERROR(entry.file->Append(base::AsBytes(entry.buffer)));
  entry.buffer = std::string();
  return absl::OkStatus();
}

absl::Status OpenFiles::WriteThrough() {
  for (auto& [ordinal, entry] : files_) TALOSMQ_RETURN_IF_ERROR(Flush(entry));
  return absl::OkStatus();
}

absl::Status OpenFiles::Seal(std::span<const CommittedFile> files) {
  TALOSMQ_RETURN_IF_ERROR(WriteThrough());
  for (auto& [ordinal, entry] : files_) TALOSMQ_RETURN_IF_ERROR(entry.file->Sync());
  files_.clear();
  return target_.Seal(files);
}

}  // namespace talosmq::sink
