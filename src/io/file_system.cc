#include "io/file_system.h"

#include "base/status.h"
#include "base/text.h"

#include <array>

namespace talosmq::io {

absl::Status FileSystem::MakeDirectories(const std::string& directory) {
  std::vector<std::string> missing;
  std::string existing = directory;
  while (true) {
    TALOSMQ_ASSIGN_OR_RETURN(const bool exists, Exists(existing));
    if (exists) break;
    missing.push_back(existing);
    existing = ParentDirectory(existing);
  }
  // An earlier call may have been cut off between making this one and syncing it into its parent;
  // where we may not look, we did not make it.
  const absl::Status synced = SyncDirectory(ParentDirectory(existing));
  if (!synced.ok() && !absl::IsPermissionDenied(synced)) return synced;
  for (; !missing.empty(); missing.pop_back()) {
    TALOSMQ_RETURN_IF_ERROR(MakeDirectory(missing.back()));
    TALOSMQ_RETURN_IF_ERROR(SyncDirectory(ParentDirectory(missing.back())));
  }
  // Whether the leaf is a directory has not been looked at when it was there.
  return List(directory).status();
}

absl::StatusOr<std::string> ReadFile(FileSystem& file_system, const std::string& path,
                                     uint64_t size_max) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, OpenMode::kRead));
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > size_max) {
    return MakeError(
        Reason::kInvalidArgument,
        base::StrCat(path, ": larger than expected: at most ", size_max, " bytes, found ", size));
  }
  std::string content(size, '\0');
  TALOSMQ_ASSIGN_OR_RETURN(const size_t read,
                           file->Read(0, std::as_writable_bytes(std::span(content))));
  content.resize(read);
  return content;
}

absl::Status WriteFileAtomically(FileSystem& file_system, const std::string& path,
                                 base::ByteSpan content) {
  const std::string temporary = path + ".tmp";
  {
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(temporary, OpenMode::kTruncate));
    const std::array<base::ByteSpan, 1> pieces = {content};
    TALOSMQ_RETURN_IF_ERROR(file->Write(0, pieces));
    TALOSMQ_RETURN_IF_ERROR(file->Sync());
  }
  TALOSMQ_RETURN_IF_ERROR(file_system.Rename(temporary, path));
  return file_system.SyncDirectory(ParentDirectory(path));
}

std::string ParentDirectory(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

}  // namespace talosmq::io
