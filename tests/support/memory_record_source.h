#pragma once

#include "base/executor.h"
#include "record/batch.h"
#include "sink/record_source.h"
#include "talosmq/error.h"

#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::support {

/// A log in memory for dump jobs to read. Thread-compatible; answers from its executor.
class MemoryRecordSource final : public sink::RecordSource {
 public:
  explicit MemoryRecordSource(base::Executor& executor) : executor_(executor) {}

  void CreateTopic(const std::string& name, TopicId id, int32_t partitions);
  void AddPartitions(const std::string& name, int32_t total);
  void DeleteTopic(const std::string& name);

  /// Appends one batch; returns the offset of its first record.
  Offset Append(TopicPartition to, const std::vector<record::RecordInput>& records,
                record::Codec codec = record::Codec::kNone);
  /// Appends bytes that claim to be a batch of `count` records; the caller has damaged them.
  void AppendRaw(TopicPartition to, base::Buffer batch, int64_t count);
  /// A batch with `base` as its base offset, as Append makes it.
  static base::Buffer MakeBatch(Offset base, const std::vector<record::RecordInput>& records,
                                record::Codec codec);
  /// Reads inside of the range are refused as the broker would, those before it end there.
  void Damage(TopicPartition of, CorruptRange range);
  /// Retention has taken everything below.
  void SetLogStart(TopicPartition of, Offset start);
  /// The next `count` reads fail.
  void FailReads(int count, absl::Status status);
  /// What a process that dies no longer waits for.
  void DropWaiting();
  int64_t reads() const { return reads_; }

  void FindTopic(std::string name, base::Callback<absl::StatusOr<sink::SourceTopic>> done) override;
  void Read(TopicPartition source, Offset offset, int64_t bytes_max, absl::Duration wait,
            base::Callback<absl::StatusOr<sink::SourceRead>> done) override;
  void FindStart(TopicPartition source, base::Callback<absl::StatusOr<Offset>> done) override;
  void FindEnd(TopicPartition source, base::Callback<absl::StatusOr<Offset>> done) override;

 private:
  struct Batch {
    base::Buffer bytes;
    Offset end;
  };
  struct Log {
    std::vector<Batch> batches;
    Offset start{0};
    std::optional<CorruptRange> damaged;
    Offset end() const { return batches.empty() ? Offset(0) : batches.back().end; }
  };
  struct WaitingRead {
    uint64_t number = 0;
    TopicPartition source;
    Offset offset;
    int64_t bytes_max = 0;
    base::Callback<absl::StatusOr<sink::SourceRead>> done;
  };

  absl::StatusOr<const Log*> Find(const TopicPartition& source) const;
  static sink::SourceRead Collect(const Log& log, Offset offset, int64_t bytes_max);
  void AnswerWaiting(const TopicPartition& source);

  base::Executor& executor_;
  std::map<std::string, sink::SourceTopic> topics_;
  std::map<TopicPartition, Log> logs_;
  std::list<WaitingRead> waiting_;
  uint64_t last_wait_ = 0;
  int64_t reads_ = 0;
  int failures_left_ = 0;
  absl::Status failure_;
};

}  // namespace talosmq::support
