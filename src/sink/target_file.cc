#include "sink/target_file.h"

#include "base/status.h"
#include "base/text.h"

#include <optional>
#include <set>
#include <utility>

namespace talosmq::sink {
namespace {

/// Writes one after another at its end.
class AppendedFile final : public OpenFile {
 public:
  explicit AppendedFile(std::unique_ptr<io::File> file) : file_(std::move(file)) {}

  absl::Status Append(base::ByteSpan bytes) override {
    TALOSMQ_RETURN_IF_ERROR(file_->Write(size_, {&bytes, 1}));
    size_ += bytes.size();
    return absl::OkStatus();
  }
  absl::Status Sync() override { return file_->Sync(); }

 private:
  std::unique_ptr<io::File> file_;
  uint64_t size_ = 0;
};

/// Nothing when there is no such file.
absl::StatusOr<std::optional<uint64_t>> SizeOf(io::FileSystem& file_system,
                                               const std::string& path) {
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system.Exists(path));
  if (!exists) return std::nullopt;
  TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, io::OpenMode::kRead));
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  return size;
}

std::string Describe(const std::optional<uint64_t>& size) {
  return size.has_value() ? base::StrCat(*size, " bytes") : "no file";
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpenFile>> TargetFile::Create(int64_t epoch, int32_t ordinal) {
  TALOSMQ_RETURN_IF_ERROR(file_system_.MakeDirectories(names_.OpenFolder()));
  TALOSMQ_ASSIGN_OR_RETURN(
      auto file, file_system_.Open(names_.Open(epoch, ordinal), io::OpenMode::kCreateNew));
  return std::make_unique<AppendedFile>(std::move(file));
}

absl::Status TargetFile::Seal(std::span<const CommittedFile> files) {
  for (const CommittedFile& file : files) {
    const std::string path = names_.Published(file);
    TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(path));
    if (exists) {
      return MakeError(Reason::kConflict,
                       base::StrCat("dump file ", path,
                                    " exists and was not written by this job; it is left as it is. "
                                    "Move it away, or dump into another folder"));
    }
  }
  return file_system_.SyncDirectory(names_.OpenFolder());
}

absl::Status TargetFile::Publish(const Intent& intent) {
  std::set<std::string> folders;
  for (const CommittedFile& file : intent.files) {
    const std::string folder = names_.HourFolder(file.hour);
    if (folders.insert(folder).second) {
      TALOSMQ_RETURN_IF_ERROR(file_system_.MakeDirectories(folder));
    }
    TALOSMQ_RETURN_IF_ERROR(PublishOne(intent, file));
  }
  for (const std::string& folder : folders) {
    TALOSMQ_RETURN_IF_ERROR(file_system_.SyncDirectory(folder));
  }
  return file_system_.SyncDirectory(names_.OpenFolder());
}

absl::Status TargetFile::PublishOne(const Intent& intent, const CommittedFile& file) {
  const std::string open = names_.Open(intent.epoch, file.ordinal);
  const std::string published = names_.Published(file);
  TALOSMQ_ASSIGN_OR_RETURN(const auto published_size, SizeOf(file_system_, published));
  TALOSMQ_ASSIGN_OR_RETURN(const auto open_size, SizeOf(file_system_, open));
  if (published_size.has_value() && *published_size != file.bytes) {
    return MakeError(Reason::kConflict,
                     base::StrCat("dump file ", published, ": expected ", file.bytes,
                                  " bytes of this job's commit, found ", Describe(published_size),
                                  "; it is not ours and is left as it is"));
  }
  if (published_size.has_value()) {
    return open_size.has_value() ? file_system_.Remove(open) : absl::OkStatus();
  }
  if (open_size != file.bytes) {
    return MakeError(Reason::kCorruptData,
                     base::StrCat("dump file ", published, " of offsets ", file.first.value(),
                                  " to ", file.last.value(), ": expected ", file.bytes,
                                  " bytes there or at ", open, ", found no file there and ",
                                  Describe(open_size), " here; somebody has removed or cut it"));
  }
  const absl::Status renamed = file_system_.Rename(open, published);
  if (renamed.ok()) return renamed;
  // A deposed worker of the same task may have done the very same rename in between.
  const auto size_now = SizeOf(file_system_, published);
  return size_now.ok() && *size_now == file.bytes ? absl::OkStatus() : renamed;
}

absl::Status TargetFile::Sweep(int64_t epoch_max) {
  const std::string folder = names_.OpenFolder();
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(folder));
  if (!exists) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(const auto names, file_system_.List(folder));
  for (const std::string& name : names) {
    const std::optional<int64_t> epoch = FileNames::EpochOfOpen(name);
    if (!epoch.has_value() || *epoch > epoch_max) continue;
    TALOSMQ_RETURN_IF_ERROR(file_system_.Remove(base::StrCat(folder, "/", name)));
  }
  return absl::OkStatus();
}

absl::Status FolderDestination::ProveWritable() {
  const std::string folder = TargetFolder(job_.definition);
  const std::string probe = base::StrCat(folder, "/.talosmq-probe");
  TALOSMQ_RETURN_IF_ERROR(file_system_.MakeDirectories(folder));
  TALOSMQ_RETURN_IF_ERROR(file_system_.Open(probe, io::OpenMode::kTruncate).status());
  return file_system_.Remove(probe);
}

std::unique_ptr<Target> FolderDestination::TargetOf(PartitionId partition) {
  return std::make_unique<TargetFile>(
      file_system_, FileNames(TargetFolder(job_.definition), job_.definition.topic,
                              {.topic_id = job_.topic_id, .partition = partition}, extension_));
}

absl::Status FolderDestination::RemoveUnpublished() {
  const std::string all =
      FileNames::OpenFolders(TargetFolder(job_.definition), job_.definition.topic);
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(all));
  if (!exists) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(const auto folders, file_system_.List(all));
  for (const std::string& name : folders) {
    if (!name.starts_with(FileNames::TopicPrefix(job_.topic_id))) continue;
    const std::string folder = base::StrCat(all, "/", name);
    TALOSMQ_ASSIGN_OR_RETURN(const auto files, file_system_.List(folder));
    for (const std::string& file : files) {
      TALOSMQ_RETURN_IF_ERROR(file_system_.Remove(base::StrCat(folder, "/", file)));
    }
    TALOSMQ_RETURN_IF_ERROR(file_system_.RemoveDirectory(folder));
  }
  return absl::OkStatus();
}

}  // namespace talosmq::sink
