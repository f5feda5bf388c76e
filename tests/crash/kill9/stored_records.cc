#include "kill9/stored_records.h"

#include "base/status.h"
#include "base/text.h"
#include "talosmq/admin.h"
#include "talosmq/consumer.h"

#include "nlohmann/json.hpp"

#include <filesystem>
#include <fstream>
#include <memory>

namespace talosmq::kill9 {
namespace {

constexpr absl::Duration kPollWait = absl::Milliseconds(100);
constexpr int kSilentPollsMax = 300;

absl::Status ReadPartition(Consumer& consumer, const PartitionInfo& partition,
                           std::vector<StoredRecord>& records) {
  TALOSMQ_RETURN_IF_ERROR(partition.status);
  TALOSMQ_RETURN_IF_ERROR(consumer.Assign({partition.partition}, AtStart{}));
  Offset next = partition.log_start;
  int silent_polls = 0;
  while (next < partition.high_watermark) {
    TALOSMQ_ASSIGN_OR_RETURN(const PolledRecords polled, consumer.Poll(kPollWait));
    silent_polls = polled.empty() ? silent_polls + 1 : 0;
    if (silent_polls > kSilentPollsMax) {
      return MakeError(Reason::kDeadlineExceeded,
                       base::StrCat("partition ", partition.partition.value(), ": nothing from ",
                                    next.value(), " on"));
    }
    for (const RecordBatchView& batch : polled.batches) {
      for (const ConsumedRecord& record : batch.records()) {
        records.push_back({.partition = batch.partition(),
                           .offset = record.offset,
                           .value = std::string(record.value.value_or(std::string_view()))});
        next = record.offset + 1;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ReadDumpFile(const std::filesystem::path& path, std::vector<StoredRecord>& records) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (file.eof() || !object.is_object()) {
      return MakeError(Reason::kCorruptData, base::StrCat(path.string(), ": a broken line"));
    }
    records.push_back({.partition = PartitionId(object.value("partition", -1)),
                       .offset = Offset(object.value("offset", int64_t{-1})),
                       .value = object.value("value", "")});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<StoredRecord>> ReadTopic(Client& client, const std::string& topic) {
  const std::unique_ptr<Admin> admin = Admin::Create(client);
  TALOSMQ_ASSIGN_OR_RETURN(const TopicInfo info, admin->DescribeTopic(topic));
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer,
                           Consumer::Create(client, topic, {}));
  std::vector<StoredRecord> records;
  for (const PartitionInfo& partition : info.partitions) {
    TALOSMQ_RETURN_IF_ERROR(ReadPartition(*consumer, partition, records));
  }
  return records;
}

absl::StatusOr<std::vector<StoredRecord>> ReadDump(const std::string& directory) {
  std::vector<StoredRecord> records;
  if (!std::filesystem::exists(directory)) return records;
  for (auto entry = std::filesystem::recursive_directory_iterator(directory);
       entry != std::filesystem::recursive_directory_iterator(); ++entry) {
    const std::string name = entry->path().filename().string();
    const bool is_hidden = name.front() == '.' || name.front() == '_';
    if (is_hidden && entry->is_directory()) entry.disable_recursion_pending();
    if (is_hidden || !entry->is_regular_file()) continue;
    TALOSMQ_RETURN_IF_ERROR(ReadDumpFile(entry->path(), records));
  }
  return records;
}

}  // namespace talosmq::kill9
