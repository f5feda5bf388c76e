#pragma once

#include "sink/format.h"
#include "sink/target.h"
#include "sink/task_record.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

namespace talosmq::sink {

/// The files of one commit while they are written, by their ordinal. What is encoded is written
/// through as soon as it is kBufferBytesMax, so memory stays bounded by that and one record for
/// each file. After a failure the whole commit must be given up. Confined to the sink's executor;
/// target and format outlive it.
class OpenFiles {
 public:
  static constexpr size_t kBufferBytesMax = size_t{256} << 10;

  OpenFiles(Target& target, const Format& format, int64_t epoch)
      : target_(target), format_(format), epoch_(epoch) {}

  /// Returns the bytes that the record takes in its file, which is made when it is new.
  absl::StatusOr<uint64_t> Append(int32_t ordinal, const SourceRecord& record);
  /// Writes out what is buffered.
  absl::Status WriteThrough();
  /// Makes all files durable and closes them.
  absl::Status Seal(std::span<const CommittedFile> files);
  /// Forgets the files; what was written of them stays in the target until it is swept.
  void GiveUp() { files_.clear(); }

 private:
  struct Entry {
    std::unique_ptr<OpenFile> file;
    std::string buffer;
  };
  static absl::Status Flush(Entry& entry);

  Target& target_;
  const Format& format_;
  const int64_t epoch_;
  std::map<int32_t, Entry> files_;
};

}  // namespace talosmq::sink
