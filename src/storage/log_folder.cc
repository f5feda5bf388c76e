#include "storage/log_folder.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/segment.h"

#include <algorithm>
#include <utility>

namespace talosmq::storage {
namespace {

absl::StatusOr<std::vector<std::string>> ListIfThere(io::FileSystem& file_system,
                                                     const std::string& directory) {
  auto names = file_system.List(directory);
  if (absl::IsNotFound(names.status())) return std::vector<std::string>();
  return names;
}

void AddName(const std::string& name, LogFolder& folder) {
  if (const auto segment = ParseOffsetFileName(name, kSegmentSuffix)) {
    folder.segments.push_back(*segment);
  } else if (const auto index = ParseOffsetFileName(name, kIndexSuffix)) {
    folder.indexes.push_back(*index);
  } else if (const auto snapshot = ParseOffsetFileName(name, kSnapshotSuffix)) {
    folder.snapshots.push_back(*snapshot);
  } else if (name == kEpochFileName) {
    folder.has_epochs = true;
  } else if (name.ends_with(".tmp")) {
    folder.temporaries.push_back(name);
  } else {
    folder.foreign.push_back(name);
  }
}

}  // namespace

std::string LogFolder::Path(Offset offset, std::string_view suffix) const {
  return base::StrCat(directory, "/", OffsetFileName(offset, suffix));
}

std::string LogFolder::EpochPath() const { return base::StrCat(directory, "/", kEpochFileName); }

bool LogFolder::HasIndex(Offset segment) const {
  return std::binary_search(indexes.begin(), indexes.end(), segment);
}

absl::StatusOr<LogFolder> ListLogFolder(io::FileSystem& file_system, std::string directory) {
  LogFolder folder;
  folder.directory = std::move(directory);
  auto names = file_system.List(folder.directory);
  if (absl::IsNotFound(names.status())) return folder;
  if (!names.ok()) return names.status();
  folder.exists = true;
  for (const std::string& name : *names) AddName(name, folder);
  return folder;
}

absl::Status RemoveSegment(io::FileSystem& file_system, const std::string& directory,
                           Offset segment) {
  for (const std::string_view suffix : {kIndexSuffix, kSegmentSuffix}) {
    const absl::Status removed =
        file_system.Remove(base::StrCat(directory, "/", OffsetFileName(segment, suffix)));
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  }
  return absl::OkStatus();
}

absl::Status RemoveLogFolder(io::FileSystem& file_system, const std::string& directory) {
  const std::string topic = io::ParentDirectory(directory);
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system.Exists(directory));
  if (exists) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto names, file_system.List(directory));
    for (const std::string& name : names) {
      TALOSMQ_RETURN_IF_ERROR(file_system.Remove(base::StrCat(directory, "/", name)));
    }
    TALOSMQ_RETURN_IF_ERROR(file_system.RemoveDirectory(directory));
    TALOSMQ_RETURN_IF_ERROR(file_system.SyncDirectory(topic));
  }
  TALOSMQ_ASSIGN_OR_RETURN(const bool has_topic, file_system.Exists(topic));
  if (!has_topic) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(const auto rest, ListIfThere(file_system, topic));
  if (!rest.empty()) return absl::OkStatus();
  // Another partition's removal may have been here first.
  const absl::Status removed = file_system.RemoveDirectory(topic);
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  return file_system.SyncDirectory(io::ParentDirectory(topic));
}

absl::StatusOr<std::vector<TopicPartition>> ListLogFolders(io::FileSystem& file_system,
                                                           const std::string& data_directory) {
  std::vector<TopicPartition> logs;
  const std::string topics = TopicsDirectory(data_directory);
  TALOSMQ_ASSIGN_OR_RETURN(const auto topic_names, ListIfThere(file_system, topics));
  for (const std::string& topic : topic_names) {
    const auto topic_id = TopicId::Parse(topic);
    if (!topic_id) continue;
    TALOSMQ_ASSIGN_OR_RETURN(const auto names,
                             ListIfThere(file_system, base::StrCat(topics, "/", topic)));
    for (const std::string& name : names) {
      const auto partition = ParsePartitionFolder(name);
      if (partition) logs.push_back({.topic_id = *topic_id, .partition = *partition});
    }
  }
  return logs;
}

}  // namespace talosmq::storage
