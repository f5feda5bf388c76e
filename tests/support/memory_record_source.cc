#include "support/memory_record_source.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"

#include <algorithm>
#include <utility>

namespace talosmq::support {

void MemoryRecordSource::CreateTopic(const std::string& name, TopicId id, int32_t partitions) {
  topics_[name] = {.id = id, .name = name, .partitions = 0};
  AddPartitions(name, partitions);
}

void MemoryRecordSource::AddPartitions(const std::string& name, int32_t total) {
  sink::SourceTopic& topic = topics_.at(name);
  for (; topic.partitions < total; ++topic.partitions) {
    logs_[{.topic_id = topic.id, .partition = PartitionId(topic.partitions)}];
  }
}

void MemoryRecordSource::DeleteTopic(const std::string& name) {
  const TopicId id = topics_.at(name).id;
  topics_.erase(name);
  std::erase_if(logs_, [id](const auto& entry) { return entry.first.topic_id == id; });
}

base::Buffer MemoryRecordSource::MakeBatch(Offset base,
                                           const std::vector<record::RecordInput>& records,
                                           record::Codec codec) {
  record::BatchBuilder builder(codec, 1024);
  for (const record::RecordInput& record : records) builder.Append(record);
  auto batch = builder.Finish({});
  TALOSMQ_CHECK(batch.ok()) << batch.status();
  record::PatchBaseOffset(batch->mutable_bytes(), base);
  record::PatchEpoch(batch->mutable_bytes(), LeaderEpoch(1));
  return *std::move(batch);
}

Offset MemoryRecordSource::Append(TopicPartition to,
                                  const std::vector<record::RecordInput>& records,
                                  record::Codec codec) {
  const Offset base = logs_.at(to).end();
  AppendRaw(to, MakeBatch(base, records, codec), static_cast<int64_t>(records.size()));
  return base;
}

void MemoryRecordSource::AppendRaw(TopicPartition to, base::Buffer batch, int64_t count) {
  Log& log = logs_.at(to);
  log.batches.push_back({std::move(batch), log.end() + count});
  AnswerWaiting(to);
}

void MemoryRecordSource::Damage(TopicPartition of, CorruptRange range) {
  logs_.at(of).damaged = range;
}

void MemoryRecordSource::SetLogStart(TopicPartition of, Offset start) {
  logs_.at(of).start = start;
}

void MemoryRecordSource::FailReads(int count, absl::Status status) {
  failures_left_ = count;
  failure_ = std::move(status);
}

void MemoryRecordSource::DropWaiting() { waiting_.clear(); }

absl::StatusOr<const MemoryRecordSource::Log*> MemoryRecordSource::Find(
    const TopicPartition& source) const {
  const auto found = logs_.find(source);
  if (found != logs_.end()) return &found->second;
  return MakeError(Reason::kUnknownTopicId, base::StrCat("no partition ", source.ToString()));
}

void MemoryRecordSource::FindTopic(std::string name,
                                   base::Callback<absl::StatusOr<sink::SourceTopic>> done) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return done(found->second);
  done(MakeError(Reason::kUnknownTopic, base::StrCat("no topic '", name, "'")));
}

void MemoryRecordSource::FindStart(TopicPartition source,
                                   base::Callback<absl::StatusOr<Offset>> done) {
  const auto log = Find(source);
  log.ok() ? done((*log)->start) : done(log.status());
}

void MemoryRecordSource::FindEnd(TopicPartition source,
                                 base::Callback<absl::StatusOr<Offset>> done) {
  const auto log = Find(source);
  log.ok() ? done((*log)->end()) : done(log.status());
}

void MemoryRecordSource::Read(TopicPartition source, Offset offset, int64_t bytes_max,
                              absl::Duration wait,
                              base::Callback<absl::StatusOr<sink::SourceRead>> done) {
  ++reads_;
  if (failures_left_ > 0) {
    --failures_left_;
    return done(failure_);
  }
  const auto log = Find(source);
  if (!log.ok()) return done(log.status());
  if (offset < (*log)->start || offset > (*log)->end()) {
    return done(MakeError(Reason::kOffsetOutOfRange,
                          base::StrCat("offset ", offset.value(), " is not in [",
                                       (*log)->start.value(), ", ", (*log)->end().value(), "]")));
  }
  const std::optional<CorruptRange>& damaged = (*log)->damaged;
  if (damaged && offset >= damaged->first && offset < damaged->next) {
    return done(MakeCorruptData("0.log: damaged at position 7", *damaged));
  }
  if (offset < (*log)->end()) return done(Collect(**log, offset, bytes_max));
  const uint64_t number = ++last_wait_;
  waiting_.push_back({number, source, offset, bytes_max, std::move(done)});
  executor_.PostAfter(wait, [this, number] {
    const auto read = std::find_if(waiting_.begin(), waiting_.end(), [number](const auto& waiting) {
      return waiting.number == number;
    });
    if (read == waiting_.end()) return;
    auto answer = std::move(read->done);
    const Offset at = read->offset;
    waiting_.erase(read);
    answer(sink::SourceRead{.chunks = {}, .next_offset = at, .high_watermark = at});
  });
}

sink::SourceRead MemoryRecordSource::Collect(const Log& log, Offset offset, int64_t bytes_max) {
  sink::SourceRead read{.chunks = {}, .next_offset = offset, .high_watermark = log.end()};
  int64_t bytes = 0;
  for (const Batch& batch : log.batches) {
    if (batch.end <= offset) continue;
    if (log.damaged && offset < log.damaged->first && batch.end > log.damaged->first) break;
    if (!read.chunks.empty() && bytes + static_cast<int64_t>(batch.bytes.size()) > bytes_max) break;
    bytes += static_cast<int64_t>(batch.bytes.size());
    read.chunks.push_back(batch.bytes);
    read.next_offset = batch.end;
  }
  return read;
}

void MemoryRecordSource::AnswerWaiting(const TopicPartition& source) {
  for (auto read = waiting_.begin(); read != waiting_.end();) {
    if (read->source != source) {
      ++read;
      continue;
    }
    auto answer = std::move(read->done);
    const sink::SourceRead found = Collect(logs_.at(source), read->offset, read->bytes_max);
    read = waiting_.erase(read);
    answer(found);
  }
}

}  // namespace talosmq::support
