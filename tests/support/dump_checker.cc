#include "support/dump_checker.h"

#include "base/status.h"
#include "base/text.h"

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

#include <cstdio>
#include <utility>

namespace talosmq::support {
namespace {

constexpr uint64_t kFileBytesMax = uint64_t{1} << 30;

template <typename... Pieces>
absl::Status Violation(const Pieces&... pieces) {
  return MakeError(Reason::kInternal, base::StrCat("G7: ", pieces...));
}

/// The end of the folder that a record of this time belongs into.
std::string HourFolderOf(int64_t timestamp_ms) {
  if (timestamp_ms < 0) {
    return "/dt=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__";
  }
  return absl::FormatTime("/dt=%Y-%m-%d/hour=%H", absl::FromUnixMillis(timestamp_ms),
                          absl::UTCTimeZone());
}

}  // namespace

void DumpExactlyOnceChecker::Stored(PartitionId partition, Offset offset, int64_t timestamp_ms,
                                    std::string value) {
  records_[partition.value()][offset.value()] = {timestamp_ms, std::move(value), ""};
}

absl::Status DumpExactlyOnceChecker::CheckVisible() {
  files_ = 0;
  for (auto& [partition, records] : records_) {
    for (auto& [offset, record] : records) record.file.clear();
  }
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(folder_));
  return exists ? CheckFolder(folder_) : absl::OkStatus();
}

absl::Status DumpExactlyOnceChecker::CheckComplete() {
  TALOSMQ_RETURN_IF_ERROR(CheckVisible());
  for (const auto& [partition, records] : records_) {
    for (const auto& [offset, record] : records) {
      if (!record.file.empty()) continue;
      return Violation("record ", offset, " of partition ", partition, " is in no file");
    }
  }
  return absl::OkStatus();
}

absl::Status DumpExactlyOnceChecker::CheckFolder(const std::string& path) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto names, file_system_.List(path));
  for (const std::string& name : names) {
    if (name.starts_with('.')) continue;
    const std::string child = path + "/" + name;
    if (name.ends_with(".json")) {
      TALOSMQ_RETURN_IF_ERROR(CheckFile(path, name));
    } else {
      TALOSMQ_RETURN_IF_ERROR(CheckFolder(child));
    }
  }
  return absl::OkStatus();
}

absl::Status DumpExactlyOnceChecker::CheckFile(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name;
  long long first = 0;
  long long last = 0;
  int partition = 0;
  if (std::sscanf(name.c_str(), "%*8[0-9a-f]-%d-%20lld-%lld.json", &partition, &first, &last) !=
      3) {
    return Violation(path, ": the name is none of a dump file");
  }
  TALOSMQ_ASSIGN_OR_RETURN(const std::string content,
                           io::ReadFile(file_system_, path, kFileBytesMax));
  if (content.empty() || content.back() != '\n') return Violation(path, ": cut off");
  ++files_;
  Offset offset_min(INT64_MAX);
  Offset offset_max(-1);
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = content.find('\n', begin);
    Offset offset;
    TALOSMQ_RETURN_IF_ERROR(
        CheckLine(path, std::string_view(content).substr(begin, end - begin), &offset));
    if (offset <= offset_max) return Violation(path, ": offsets are not in order");
    offset_min = std::min(offset_min, offset);
    offset_max = offset;
    begin = end + 1;
  }
  if (offset_min == Offset(first) && offset_max == Offset(last)) return absl::OkStatus();
  return Violation(path, ": holds offsets ", offset_min.value(), " to ", offset_max.value());
}

absl::Status DumpExactlyOnceChecker::CheckLine(const std::string& path, std::string_view line,
                                               Offset* offset) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded()) return Violation(path, ": no JSON: ", line);
  const auto partition = json["partition"].get<int64_t>();
  *offset = Offset(json["offset"].get<int64_t>());
  const auto records = records_.find(partition);
  if (records == records_.end()) return Violation(path, ": unknown partition ", partition);
  const auto record = records->second.find(offset->value());
  if (record == records->second.end()) {
    return Violation(path, ": unknown record ", offset->value(), " of partition ", partition);
  }
  if (!record->second.file.empty()) {
    return Violation("record ", offset->value(), " of partition ", partition, " is in ",
                     record->second.file, " and in ", path);
  }
  record->second.file = path;
  if (json["value"] != record->second.value) {
    return Violation(path, ": another value at offset ", offset->value());
  }
  const std::string folder = HourFolderOf(record->second.timestamp_ms);
  if (path.find(folder) != std::string::npos) return absl::OkStatus();
  return Violation(path, ": record ", offset->value(), " belongs into ", folder);
}

}  // namespace talosmq::support
