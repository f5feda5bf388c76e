#include "loadgen/latency_bench.h"

#include "base/bytes.h"
#include "base/executor.h"
#include "base/status.h"
#include "base/text.h"
#include "loadgen/bench_topic.h"
#include "loadgen/pacer.h"
#include "loadgen/record_values.h"
#include "talosmq/consumer.h"
#include "talosmq/producer.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::loadgen {
namespace {

constexpr double kRateDefault = 10'000;
constexpr int64_t kWarmUpRecordsMax = 1000;
constexpr int64_t kPutsMax = 5000;
constexpr int64_t kStampBytes = sizeof(int64_t);
constexpr absl::Duration kSilenceMax = absl::Seconds(30);
constexpr absl::Duration kPollWait = absl::Milliseconds(100);

int64_t WarmUpRecords(int64_t records) { return std::min(records / 10, kWarmUpRecordsMax); }

absl::Status Interrupted() { return MakeError(Reason::kCancelled, "interrupted"); }

/// The reading side: takes the due time out of each value. Confined to the thread that runs it,
/// but for Give Up, which any thread may call.
class Receiver {
 public:
  Receiver(Consumer& consumer, int64_t records, const BenchDeps& deps)
      : consumer_(consumer), records_(records), deps_(deps) {}

  absl::Status Run() {
    absl::Duration heard = deps_.clock.Monotonic();
    int64_t seen = 0;
    while (seen < records_) {
      if (gave_up_.load() || deps_.is_interrupted()) return Interrupted();
      TALOSMQ_ASSIGN_OR_RETURN(const PolledRecords polled, consumer_.Poll(kPollWait));
      const absl::Duration now = deps_.clock.Monotonic();
      if (!polled.empty()) heard = now;
      if (now - heard > kSilenceMax) {
        return MakeError(Reason::kDeadlineExceeded,
                         base::StrCat("read ", seen, " of ", records_, " records, then none"));
      }
      for (const RecordBatchView& batch : polled.batches) {
        for (const ConsumedRecord& record : batch.records()) Take(record, now, seen++);
      }
    }
    return absl::OkStatus();
  }
  void GiveUp() { gave_up_.store(true); }
  LatencySummary Summarize() const { return samples_.Summarize(); }

 private:
  void Take(const ConsumedRecord& record, absl::Duration now, int64_t index) {
    const std::string_view value = record.value.value_or(std::string_view());
    if (index < WarmUpRecords(records_) || value.size() < kStampBytes) return;
    const auto due_ns = base::LoadBigEndian<int64_t>(base::AsBytes(value).data());
    samples_.Add(now - absl::Nanoseconds(due_ns));
  }

  Consumer& consumer_;
  const int64_t records_;
  const BenchDeps& deps_;
  std::atomic<bool> gave_up_ = false;
  LatencySamples samples_;
};

/// Sends each record when it is due, with that time in front of its value.
absl::Status SendPaced(Producer& producer, const Workload& workload, const BenchDeps& deps) {
  const RecordValues values(workload.value_bytes, deps.random);
  const Pacer pacer(deps.clock, workload.rate.value_or(kRateDefault));
  std::string value;
  for (int64_t i = 0; i < workload.records; ++i) {
    pacer.WaitFor(i);
    if (deps.is_interrupted()) return Interrupted();
    value = values.Get(i);
    base::StoreBigEndian<int64_t>(std::as_writable_bytes(std::span(value)).data(),
                                  absl::ToInt64Nanoseconds(pacer.DueTime(i)));
    Record record;
    record.value = value;
    TALOSMQ_RETURN_IF_ERROR(producer.Send(record, 0));
  }
  return producer.Flush();
}

absl::StatusOr<RunResult> RunEndToEnd(Client& client, const BenchTopic& topic,
                                      const Workload& workload, const BenchDeps& deps) {
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer,
                           Consumer::Create(client, topic.name(), {}));
  std::vector<PartitionId> partitions;
  for (int32_t i = 0; i < consumer->partition_count(); ++i) partitions.emplace_back(i);
  TALOSMQ_RETURN_IF_ERROR(consumer->Assign(partitions, AtEnd{}));
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<Producer> producer,
                           Producer::Create(client, topic.name(), {}));

  Receiver receiver(*consumer, workload.records, deps);
  absl::Status received;
  base::ThreadExecutor reader({.name = "bench-receiver"});
  reader.Post([&] { received = receiver.Run(); });
  const absl::Duration began = deps.clock.Monotonic();
  const absl::Status sent = SendPaced(*producer, workload, deps);
  if (!sent.ok()) receiver.GiveUp();
  reader.Stop();
  const absl::Duration took = deps.clock.Monotonic() - began;
  TALOSMQ_RETURN_IF_ERROR(sent);
  TALOSMQ_RETURN_IF_ERROR(received);
  return RunResult{.records = workload.records,
                   .bytes = workload.records * workload.value_bytes,
                   .took = took,
                   .latency = receiver.Summarize()};
}

absl::StatusOr<RunResult> RunDurablePuts(Client& client, const BenchTopic& topic,
                                         const Workload& workload, const BenchDeps& deps) {
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<RecordProducer> producer,
                           RecordProducer::Create(client, topic.name(), {}));
  const RecordValues values(workload.value_bytes, deps.random);
  const int64_t puts = std::min(workload.records, kPutsMax);
  LatencySamples samples;
  const absl::Duration began = deps.clock.Monotonic();
  for (int64_t i = 0; i < puts; ++i) {
    if (deps.is_interrupted()) return Interrupted();
    Record record;
    record.value = values.Get(i);
    const absl::Duration sent = deps.clock.Monotonic();
    TALOSMQ_RETURN_IF_ERROR(producer->Send(record).get().status);
    if (i >= WarmUpRecords(puts)) samples.Add(deps.clock.Monotonic() - sent);
  }
  return RunResult{.records = puts,
                   .bytes = puts * workload.value_bytes,
                   .took = deps.clock.Monotonic() - began,
                   .latency = samples.Summarize()};
}

}  // namespace

absl::StatusOr<LatencyResult> RunLatency(Client& client, const Workload& workload,
                                         const BenchDeps& deps) {
  Workload stamped = workload;
  stamped.value_bytes = std::max(workload.value_bytes, kStampBytes);
  TALOSMQ_ASSIGN_OR_RETURN(BenchTopic topic, BenchTopic::Open(client, stamped, deps.random));
  LatencyResult result;
  TALOSMQ_ASSIGN_OR_RETURN(result.end_to_end, RunEndToEnd(client, topic, stamped, deps));
  TALOSMQ_ASSIGN_OR_RETURN(result.durable_put, RunDurablePuts(client, topic, stamped, deps));
  TALOSMQ_RETURN_IF_ERROR(topic.Remove());
  return result;
}

}  // namespace talosmq::loadgen
