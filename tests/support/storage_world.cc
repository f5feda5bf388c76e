#include "support/storage_world.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/segment.h"

#include <array>
#include <utility>

namespace talosmq::support {

const TopicPartition StorageWorld::kLog{
    .topic_id = *TopicId::Parse("0b5c7f5e-1d2c-4b3a-9f8e-7d6c5b4a3921"),
    .partition = PartitionId(3)};

base::Buffer MakeBatch(const BatchOf& batch) {
  record::BatchBuilder builder(batch.codec, 4096);
  for (size_t i = 0; i < batch.values.size(); ++i) {
    record::RecordInput input;
    input.timestamp_ms = batch.timestamp_ms;
    if (i < batch.keys.size()) input.key = batch.keys[i];
    if (!batch.tombstones.contains(i)) input.value = batch.values[i];
    builder.Append(input);
  }
  auto bytes = builder.Finish(batch.producer);
  TALOSMQ_CHECK(bytes.ok()) << bytes.status();
  return std::move(*bytes);
}

std::vector<ReadRecord> RecordsIn(const std::vector<base::Buffer>& chunks, Offset from) {
  std::vector<ReadRecord> records;
  for (const base::Buffer& chunk : chunks) {
    for (base::ByteSpan rest = chunk.bytes(); !rest.empty();) {
      const auto header = record::ParseHeader(rest);
      TALOSMQ_CHECK(header.ok()) << header.status();
      auto reader = record::BatchReader::Open(rest.first(header->size()), {});
      TALOSMQ_CHECK(reader.ok()) << reader.status();
      while (true) {
        const auto record = reader->Next();
        TALOSMQ_CHECK(record.ok()) << record.status();
        if (!record->has_value()) break;
        if ((*record)->offset < from) continue;
        records.push_back(
            {.offset = (*record)->offset, .value = std::string((*record)->value.value_or(""))});
      }
      rest = rest.subspan(header->size());
    }
  }
  return records;
}

StorageWorld::StorageWorld()
    : catalogue_(kv::MakeMemoryStore()),
      metrics_(base::MakeNullMetricRegistry()),
      shard_(clock_),
      flush_(clock_),
      write_back_(clock_),
      io_(clock_),
      compaction_(clock_) {
  store_options_.directory = kDirectory;
  store_options_.unsynced_bytes_min = 0;
  reserve_options_.directory = kDirectory;
}

StorageWorld::~StorageWorld() { Kill(); }

absl::Status StorageWorld::Start() {
  TALOSMQ_ASSIGN_OR_RETURN(reserve_,
                           storage::DiskReserve::Open(reserve_options_, {disk_, *metrics_}));
  auto store = storage::LogStore::Open(store_options_, {.file_system = disk_,
                                                        .catalogue = *catalogue_,
                                                        .reserve = *reserve_,
                                                        .clock = clock_,
                                                        .metrics = *metrics_,
                                                        .random = random_,
                                                        .flush_executor = flush_,
                                                        .write_back_executor = write_back_,
                                                        .compaction_executor = compaction_,
                                                        .checkpoint_executor = io_,
                                                        .io_executors = {&io_}});
  if (!store.ok()) return store.status();
  store_ = std::move(*store);
  return absl::OkStatus();
}

absl::Status StorageWorld::Stop() {
  Run();
  while (!logs_.empty()) {
    const TopicPartition id = logs_.begin()->first;
    TALOSMQ_RETURN_IF_ERROR(Close(id));
  }
  const absl::Status closed = store_->Close();
  store_.reset();
  return closed;
}

void StorageWorld::Kill() {
  // A task may post another one from its destructor, so each executor is emptied until all are.
  for (int round = 0; round < 3; ++round) {
    shard_.DropAll();
    flush_.DropAll();
    write_back_.DropAll();
    compaction_.DropAll();
    io_.DropAll();
  }
  logs_.clear();
  told_.clear();
  is_leading_.clear();
  store_.reset();
}

void StorageWorld::CutPower(PowerCut cut) {
  Kill();
  disk_.CutPower(cut);
  catalogue_->CutPower(0);
}

void StorageWorld::Advance(absl::Duration by) { clock_.Advance(by); }
void StorageWorld::Run() { RunAllUntilIdle({&shard_, &flush_, &write_back_, &io_, &compaction_}); }
bool StorageWorld::RunOne() {
  return shard_.RunOne() || flush_.RunOne() || write_back_.RunOne() || io_.RunOne() ||
         compaction_.RunOne();
}
void StorageWorld::RunWithoutCheckpoint() { RunAllUntilIdle({&shard_, &flush_, &write_back_}); }
void StorageWorld::RunWithoutWriteBack() { RunAllUntilIdle({&shard_, &flush_, &io_}); }
void StorageWorld::RunWithoutFlush() { RunAllUntilIdle({&shard_, &io_}); }

absl::StatusOr<storage::RecoveryReport> StorageWorld::Open(const TopicPartition& id) {
  absl::StatusOr<storage::RecoveryReport> report = absl::InternalError("OpenLog did not answer");
  store_->OpenLog(id, log_options_, shard_,
                  [&](absl::StatusOr<storage::LogStore::OpenedLog> opened) {
                    if (!opened.ok()) {
                      report = opened.status();
                      return;
                    }
                    report = std::move(opened->report);
                    logs_[id] = std::move(opened->log);
                  });
  Run();
  if (!report.ok()) return report;
  told_[id] = absl::OkStatus();
  is_leading_[id] = false;
  log(id).SetDurableListener([this, id](const absl::Status& status) { told_[id] = status; });
  return report;
}

absl::Status StorageWorld::Close(const TopicPartition& id) {
  absl::Status closed = absl::InternalError("Close did not answer");
  log(id).Close([&](absl::Status status) { closed = std::move(status); });
  Run();
  logs_.erase(id);
  return closed;
}

absl::Status StorageWorld::Delete(const TopicPartition& id) {
  absl::Status deleted = absl::InternalError("DeleteLog did not answer");
  store_->DeleteLog(id, [&](absl::Status status) { deleted = std::move(status); });
  Run();
  return deleted;
}

storage::PartitionLog& StorageWorld::log(const TopicPartition& id) { return *logs_.at(id); }

absl::StatusOr<storage::AppendResult> StorageWorld::Append(const BatchOf& batch,
                                                           const TopicPartition& id) {
  if (!is_open(id)) TALOSMQ_RETURN_IF_ERROR(Open(id).status());
  if (!is_leading_[id]) {
    TALOSMQ_RETURN_IF_ERROR(log(id).BeginEpoch(LeaderEpoch(++epochs_[id])));
    is_leading_[id] = true;
  }
  base::Buffer bytes = MakeBatch(batch);
  TALOSMQ_ASSIGN_OR_RETURN(const auto header, record::ParseHeader(bytes.bytes()));
  return log(id).Append(std::move(bytes),
                        {.header = header, .max_timestamp_ms = header.max_timestamp_ms});
}

absl::StatusOr<storage::AppendResult> StorageWorld::AppendDurably(const BatchOf& batch,
                                                                  const TopicPartition& id) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto appended, Append(batch, id));
  Run();
  TALOSMQ_RETURN_IF_ERROR(told_.at(id));
  if (log(id).durable_end() <= appended.last_offset) {
    return absl::InternalError("the listener was told nothing and the batch is not durable");
  }
  return appended;
}

absl::StatusOr<storage::ReadResult> StorageWorld::Read(Offset offset, int64_t bytes_max,
                                                       const TopicPartition& id) {
  absl::StatusOr<storage::ReadResult> result = absl::InternalError("Read did not answer");
  log(id).Read({.offset = offset, .limit = log(id).durable_end(), .bytes_max = bytes_max},
               [&](absl::StatusOr<storage::ReadResult> read) { result = std::move(read); });
  Run();
  return result;
}

absl::StatusOr<std::vector<ReadRecord>> StorageWorld::ReadAll(const TopicPartition& id) {
  std::vector<ReadRecord> records;
  Offset offset = log(id).log_start();
  while (offset < log(id).durable_end()) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto read, Read(offset, 1 << 20, id));
    if (read.next_offset <= offset) return absl::InternalError("a read made no progress");
    for (ReadRecord& record : RecordsIn(read.chunks, offset)) records.push_back(std::move(record));
    offset = read.next_offset;
  }
  return records;
}

absl::StatusOr<ReadableRecords> StorageWorld::ReadAroundDamage(const TopicPartition& id) {
  ReadableRecords found;
  Offset offset = log(id).log_start();
  while (offset < log(id).durable_end()) {
    const auto read = Read(offset, 1 << 20, id);
    Offset next;
    if (read.ok()) {
      for (ReadRecord& record : RecordsIn(read->chunks, offset)) found.records.push_back(record);
      next = read->next_offset;
    } else {
      const auto range = CorruptRangeOf(read.status());
      if (!range) return read.status();
      found.refused.push_back({.first = offset, .next = range->next});
      next = range->next;
    }
    if (next <= offset) return absl::InternalError("a read made no progress");
    offset = next;
  }
  return found;
}

absl::StatusOr<Offset> StorageWorld::FindOffset(int64_t time_ms, const TopicPartition& id) {
  absl::StatusOr<Offset> result = absl::InternalError("FindOffset did not answer");
  log(id).FindOffset(absl::FromUnixMillis(time_ms), log(id).durable_end(),
                     [&](absl::StatusOr<Offset> found) { result = std::move(found); });
  Run();
  return result;
}

absl::Status StorageWorld::MoveLogStart(Offset offset, const TopicPartition& id) {
  absl::Status moved = absl::InternalError("MoveLogStart did not answer");
  log(id).MoveLogStart(offset, [&](absl::Status status) { moved = std::move(status); });
  Run();
  return moved;
}

absl::Status StorageWorld::ApplyRetention(const TopicPartition& id) {
  absl::Status applied = absl::InternalError("ApplyRetention did not answer");
  log(id).ApplyRetention(clock_.Now(), log(id).durable_end(),
                         [&](absl::Status status) { applied = std::move(status); });
  Run();
  return applied;
}

absl::Status StorageWorld::Compact(const TopicPartition& id) {
  absl::Status compacted = absl::InternalError("Compact did not answer");
  log(id).Compact(clock_.Now(), log(id).durable_end(),
                  [&](absl::Status status) { compacted = std::move(status); });
  Run();
  return compacted;
}

std::string StorageWorld::Path(const std::string& name, const TopicPartition& id) const {
  return base::StrCat(storage::LogDirectory(kDirectory, id), "/", name);
}

std::string StorageWorld::ReadFile(const std::string& path) {
  auto content = io::ReadFile(disk_, path, uint64_t{1} << 30);
  TALOSMQ_CHECK(content.ok()) << content.status();
  return std::move(*content);
}

void StorageWorld::WriteFile(const std::string& path, const std::string& content) {
  auto file = disk_.Open(path, io::OpenMode::kTruncate);
  TALOSMQ_CHECK(file.ok()) << file.status();
  const std::array<base::ByteSpan, 1> pieces = {base::AsBytes(content)};
  TALOSMQ_CHECK((*file)->Write(0, pieces).ok());
  TALOSMQ_CHECK((*file)->Sync().ok());
  TALOSMQ_CHECK(disk_.SyncDirectory(io::ParentDirectory(path)).ok());
}

void StorageWorld::FlipBit(const std::string& path, uint64_t position, int bit) {
  disk_.FlipBit(path, position, bit);
}

void StorageWorld::Resize(const std::string& path, uint64_t size) {
  std::string content = ReadFile(path);
  content.resize(size);
  WriteFile(path, content);
}

void StorageWorld::RemoveFile(const std::string& path) {
  TALOSMQ_CHECK(disk_.Remove(path).ok()) << path;
  TALOSMQ_CHECK(disk_.SyncDirectory(io::ParentDirectory(path)).ok());
}

bool StorageWorld::Exists(const std::string& path) { return *disk_.Exists(path); }

}  // namespace talosmq::support
