#pragma once

#include "io/file_system.h"
#include "sink/file_name.h"
#include "sink/target.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::sink {

/// A folder of a file system.
///
/// Files are written in a hidden folder of the partition and renamed out of it. Before an intent is
/// saved they and their entry there are synced. On publishing, the hour's folder is synced before
/// the hidden one, so that a power cut leaves a file under its old name, under its new one, or
/// under both, never under none. Confined to the sink's executor; the file system outlives it.
class TargetFile final : public Target {
 public:
  TargetFile(io::FileSystem& file_system, FileNames names)
      : file_system_(file_system), names_(std::move(names)) {}

  absl::StatusOr<std::unique_ptr<OpenFile>> Create(int64_t epoch, int32_t ordinal) override;
  absl::Status Seal(std::span<const CommittedFile> files) override;
  absl::Status Publish(const Intent& intent) override;
  absl::Status Sweep(int64_t epoch_max) override;

 private:
  absl::Status PublishOne(const Intent& intent, const CommittedFile& file);

  io::FileSystem& file_system_;
  FileNames names_;
};

/// The folder that a job's target names. Confined to the sink's executor; the file system outlives
/// it.
class FolderDestination final : public Destination {
 public:
  /// `extension` as Format has it.
  FolderDestination(io::FileSystem& file_system, const JobRecord& job, std::string_view extension)
      : file_system_(file_system), job_(job), extension_(extension) {}

  absl::Status ProveWritable() override;
  std::unique_ptr<Target> TargetOf(PartitionId partition) override;
  absl::Status RemoveUnpublished() override;

 private:
  io::FileSystem& file_system_;
  const JobRecord job_;
  const std::string extension_;
};

}  // namespace talosmq::sink
