#include "sink/file_name.h"

#include "base/text.h"

#include "absl/strings/str_format.h"
#include "absl/time/time.h"

#include <charconv>
#include <utility>

namespace talosmq::sink {
namespace {

constexpr int64_t kHourMs = 3'600'000;
/// 10000-01-01T00:00:00Z.
constexpr int64_t kTimestampMsEnd = 253'402'300'800'000;
constexpr size_t kTopicIdDigits = 8;
constexpr std::string_view kHiveNull = "__HIVE_DEFAULT_PARTITION__";

}  // namespace

Hour HourOf(int64_t timestamp_ms) {
  if (timestamp_ms < 0 || timestamp_ms >= kTimestampMsEnd) return std::nullopt;
  return static_cast<int32_t>(timestamp_ms / kHourMs);
}

FileNames::FileNames(std::string folder, std::string_view topic, TopicPartition source,
                     std::string_view extension)
    : topic_folder_(base::StrCat(folder, "/", topic)),
      prefix_(base::StrCat(TopicPrefix(source.topic_id), source.partition.value())),
      extension_(extension) {}

std::string FileNames::HourFolder(Hour hour) const {
  if (!hour.has_value()) {
    return base::StrCat(topic_folder_, "/dt=", kHiveNull, "/hour=", kHiveNull);
  }
  const absl::CivilSecond civil =
      absl::ToCivilSecond(absl::UnixEpoch() + absl::Hours(int64_t{*hour}), absl::UTCTimeZone());
  return absl::StrFormat("%s/dt=%04d-%02d-%02d/hour=%02d", topic_folder_, civil.year(),
                         civil.month(), civil.day(), civil.hour());
}

std::string FileNames::Published(const CommittedFile& file) const {
  return absl::StrFormat("%s/%s-%020d-%d.%s", HourFolder(file.hour), prefix_, file.first.value(),
                         file.last.value(), extension_);
}

std::string FileNames::OpenFolder() const {
  return base::StrCat(topic_folder_, "/.open/", prefix_);
}

std::string FileNames::Open(int64_t epoch, int32_t ordinal) const {
  return base::StrCat(OpenFolder(), "/.", epoch, "-", ordinal, ".", extension_);
}

std::string FileNames::OpenFolders(std::string_view folder, std::string_view topic) {
  return base::StrCat(folder, "/", topic, "/.open");
}

std::string FileNames::TopicPrefix(const TopicId& id) {
  return base::StrCat(id.ToString().substr(0, kTopicIdDigits), "-");
}

std::optional<int64_t> FileNames::EpochOfOpen(std::string_view name) {
  if (!name.starts_with('.')) return std::nullopt;
  int64_t epoch = 0;
  const char* end = name.data() + name.size();
  const auto [parsed_to, error] = std::from_chars(name.data() + 1, end, epoch);
  if (error != std::errc() || parsed_to == end || *parsed_to != '-') return std::nullopt;
  return epoch;
}

}  // namespace talosmq::sink
