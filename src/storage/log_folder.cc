#include "storage/log_folder.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/segment.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace talosmq::storage {
namespace {

absl::StatusOr<std::vector<std::string>> ListIfThere(io::FileSystem& file_system,
                                                     const std::string& directory) {
  auto names = file_system.List(directory);
  if (absl::IsNotFound(names.status())) return std::vector<std::string>();
  return names;
}

/// Names of segments and indexes as they were found.
struct FoundNames {
  std::vector<SegmentName> segments;
  std::vector<SegmentName> indexes;
};

void AddName(const std::string& name, FoundNames& found, LogFolder& folder) {
  if (const auto segment = ParseSegmentFileName(name, kSegmentSuffix)) {
    found.segments.push_back(*segment);
  } else if (const auto index = ParseSegmentFileName(name, kIndexSuffix)) {
    found.indexes.push_back(*index);
  } else if (const auto snapshot = ParseOffsetFileName(name, kSnapshotSuffix)) {
    folder.snapshots.push_back(*snapshot);
  } else if (name == kEpochFileName) {
    folder.has_epochs = true;
  } else if (name.ends_with(".tmp")) {
    folder.leftovers.push_back(name);
  } else {
    folder.foreign.push_back(name);
  }
}

/// Of the newest generation first.
bool IsNewer(const SegmentName& a, const SegmentName& b) { return a.generation > b.generation; }

/// Whether one of the compacted segments stands in the place of this one.
bool IsHidden(const SegmentName& segment, const std::map<Offset, SegmentName>& compacted) {
  auto behind = compacted.upper_bound(segment.base);
  if (behind != compacted.begin() && std::prev(behind)->second.end > segment.base) return true;
  return segment.generation > 0 && behind != compacted.end() && behind->first < segment.end;
}

void TakeSegments(FoundNames found, LogFolder& folder) {
  std::ranges::stable_sort(found.segments, IsNewer);
  for (const SegmentName& segment : found.segments) {
    if (IsHidden(segment, folder.compacted)) {
      folder.leftovers.push_back(SegmentFileName(segment, kSegmentSuffix));
      continue;
    }
    folder.segments.push_back(segment.base);
    if (segment.generation > 0) folder.compacted.emplace(segment.base, segment);
  }
  std::ranges::sort(folder.segments);
  for (const SegmentName& index : found.indexes) {
    const bool is_of_other = index.generation > 0 ? folder.NameOf(index.base) != index
                                                  : IsHidden(index, folder.compacted);
    if (is_of_other) {
      folder.leftovers.push_back(SegmentFileName(index, kIndexSuffix));
    } else {
      folder.indexes.push_back(index.base);
    }
  }
  std::ranges::sort(folder.indexes);
}

}  // namespace

SegmentName LogFolder::NameOf(Offset segment) const {
  const auto found = compacted.find(segment);
  return found == compacted.end() ? SegmentName{.base = segment} : found->second;
}

Density LogFolder::DensityOf(Offset segment) const {
  return compacted.contains(segment) ? Density::kCompacted : Density::kDense;
}

std::string LogFolder::Path(Offset offset, std::string_view suffix) const {
  const SegmentName name = suffix == kSnapshotSuffix ? SegmentName{.base = offset} : NameOf(offset);
  return base::StrCat(directory, "/", SegmentFileName(name, suffix));
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
  FoundNames found;
  for (const std::string& name : *names) AddName(name, found, folder);
  TakeSegments(std::move(found), folder);
  return folder;
}

absl::Status RemoveSegment(io::FileSystem& file_system, const std::string& directory,
                           const SegmentName& segment) {
  for (const std::string_view suffix : {kIndexSuffix, kSegmentSuffix}) {
    const absl::Status removed =
        file_system.Remove(base::StrCat(directory, "/", SegmentFileName(segment, suffix)));
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
