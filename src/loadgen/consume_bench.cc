#include "loadgen/consume_bench.h"

#include "base/status.h"
#include "base/text.h"
#include "loadgen/bench_topic.h"
#include "loadgen/produce_bench.h"
#include "talosmq/consumer.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace talosmq::loadgen {
namespace {

/// Well within what a server caches by default, also with what a record costs besides its value.
constexpr int64_t kCachedBytesMax = int64_t{64} << 20;
constexpr int64_t kOverheadBytesPerRecord = 16;
/// A server that sends nothing for so long has stopped.
constexpr absl::Duration kSilenceMax = absl::Seconds(30);
constexpr absl::Duration kPollWait = absl::Milliseconds(100);

/// Reads a number of records from the start, as often as it is told. Thread-compatible.
class Reading {
 public:
  Reading(Consumer& consumer, const BenchDeps& deps) : consumer_(consumer), deps_(deps) {
    for (int32_t i = 0; i < consumer.partition_count(); ++i) partitions_.emplace_back(i);
  }

  /// At most `records`, all of which the topic holds.
  absl::Status ReadFromStart(int64_t records) {
    TALOSMQ_RETURN_IF_ERROR(consumer_.Assign(partitions_, AtStart{}));
    const int64_t goal = records_ + records;
    absl::Duration heard = deps_.clock.Monotonic();
    while (records_ < goal) {
      if (deps_.is_interrupted()) return MakeError(Reason::kCancelled, "interrupted");
      const absl::Duration began = deps_.clock.Monotonic();
      TALOSMQ_ASSIGN_OR_RETURN(const PolledRecords polled, consumer_.Poll(kPollWait));
      const absl::Duration now = deps_.clock.Monotonic();
      if (polled.empty() && now - heard > kSilenceMax) {
        return MakeError(Reason::kDeadlineExceeded,
                         base::StrCat("no record came for ", absl::FormatDuration(now - heard),
                                      "; read ", records_, " of ", goal));
      }
      if (polled.empty()) continue;
      heard = now;
      poll_latency_.Add(now - began);
      Count(polled, goal);
    }
    return absl::OkStatus();
  }

  RunResult Result(absl::Duration took) const {
    return {
        .records = records_, .bytes = bytes_, .took = took, .latency = poll_latency_.Summarize()};
  }

 private:
  /// Touches every record, as any reader does.
  void Count(const PolledRecords& polled, int64_t goal) {
    for (const RecordBatchView& batch : polled.batches) {
      for (const ConsumedRecord& record : batch.records()) {
        if (records_ == goal) return;
        bytes_ += static_cast<int64_t>(record.value.value_or(std::string_view()).size());
        ++records_;
      }
    }
  }

  Consumer& consumer_;
  const BenchDeps& deps_;
  std::vector<PartitionId> partitions_;
  LatencySamples poll_latency_;
  int64_t records_ = 0;
  int64_t bytes_ = 0;
};

/// How many records one pass over the topic gives.
absl::StatusOr<int64_t> Fill(Client& client, const BenchTopic& topic, Workload workload,
                             const BenchDeps& deps) {
  workload.rate.reset();
  const int64_t cached = kCachedBytesMax / (workload.value_bytes + kOverheadBytesPerRecord);
  workload.records = std::clamp<int64_t>(cached, 1, workload.records);
  TALOSMQ_RETURN_IF_ERROR(
      SendRecords(client, {.topic = topic.name(), .partitions = topic.partitions()}, workload, deps)
          .status());
  return workload.records;
}

absl::StatusOr<int64_t> CountHeld(Client& client, const BenchTopic& topic) {
  TALOSMQ_ASSIGN_OR_RETURN(const TopicInfo info,
                           Admin::Create(client)->DescribeTopic(topic.name()));
  int64_t held = 0;
  for (const PartitionInfo& partition : info.partitions) {
    TALOSMQ_RETURN_IF_ERROR(partition.status);
    held += partition.high_watermark - partition.log_start;
  }
  return held;
}

}  // namespace

absl::StatusOr<RunResult> RunConsume(Client& client, const Workload& workload,
                                     const BenchDeps& deps) {
  TALOSMQ_ASSIGN_OR_RETURN(BenchTopic topic, BenchTopic::Open(client, workload, deps.random));
  int64_t records_per_pass = workload.records;
  if (topic.is_own()) {
    TALOSMQ_ASSIGN_OR_RETURN(records_per_pass, Fill(client, topic, workload, deps));
  } else {
    TALOSMQ_ASSIGN_OR_RETURN(const int64_t held, CountHeld(client, topic));
    if (held < workload.records) {
      return MakeError(
          Reason::kInvalidArgument,
          base::StrCat("topic '", topic.name(), "' holds ", held, " records, fewer than the ",
                       workload.records, " to be read (--records)"));
    }
  }
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer,
                           Consumer::Create(client, topic.name(), {}));
  Reading reading(*consumer, deps);
  const absl::Duration began = deps.clock.Monotonic();
  for (int64_t left = workload.records; left > 0; left -= records_per_pass) {
    TALOSMQ_RETURN_IF_ERROR(reading.ReadFromStart(std::min(left, records_per_pass)));
  }
  const RunResult result = reading.Result(deps.clock.Monotonic() - began);
  TALOSMQ_RETURN_IF_ERROR(topic.Remove());
  return result;
}

}  // namespace talosmq::loadgen
