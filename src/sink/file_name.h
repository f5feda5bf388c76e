#pragma once

#include "sink/task_record.h"
#include "talosmq/ids.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::sink {

/// Names of one partition's dump files below the job's folder; docs/formats/dump.md. Immutable.
///
///   orders/dt=2026-11-22/hour=06/1f3a9c04-0-00000000000000001200-1999.json   published
///   orders/.open/1f3a9c04-0/.7-3.json                                         of epoch 7, number 3
class FileNames {
 public:
  FileNames(std::string folder, std::string_view topic, TopicPartition source,
            std::string_view extension);

  /// "DIR/<topic>/dt=.../hour=..", by UTC; both values are Hive's name for null without an hour.
  std::string HourFolder(Hour hour) const;
  std::string Published(const CommittedFile& file) const;

  std::string OpenFolder() const;
  std::string Open(int64_t epoch, int32_t ordinal) const;
  /// The epoch in the name (not path) of an open file; nothing for a name that is not ours.
  static std::optional<int64_t> EpochOfOpen(std::string_view name);

  /// The folder that holds the OpenFolder of every partition of the topic.
  static std::string OpenFolders(std::string_view folder, std::string_view topic);
  /// What the names of all files and open folders of one topic incarnation begin with.
  static std::string TopicPrefix(const TopicId& id);

 private:
  std::string topic_folder_;
  std::string prefix_;  ///< "<first 8 hex digits of the topic id>-<partition>".
  std::string extension_;
};

/// The hour of a record; nothing for times before 1970 or after 9999, which no folder can name.
Hour HourOf(int64_t timestamp_ms);

}  // namespace talosmq::sink
