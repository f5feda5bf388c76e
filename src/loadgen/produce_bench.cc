#include "loadgen/produce_bench.h"

#include "base/mutex.h"
#include "base/status.h"
#include "loadgen/bench_topic.h"
#include "loadgen/pacer.h"
#include "talosmq/producer.h"

#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace talosmq::loadgen {
namespace {

/// The clock is read once for so many records, and as many share a tag: the time of their Send.
constexpr int64_t kRecordsPerTag = 64;
/// Of the times that a batch carries one in so many is taken.
constexpr size_t kTagsPerSample = 64;
/// How many records go by between two looks at Ctrl-C.
constexpr int64_t kRecordsPerLook = 4096;

/// Told by the producer's thread, read when the producer is closed. Thread-safe.
class DeliveryLatency {
 public:
  explicit DeliveryLatency(const base::Clock& clock) : clock_(clock) {}

  void Take(std::span<const Delivery> batch) {
    const absl::Duration now = clock_.Monotonic();
    const base::MutexLock lock(mutex_);
    for (size_t i = 0; i < batch.size(); i += kTagsPerSample) {
      const auto sent_ns = static_cast<int64_t>(batch[i].tag);
      samples_.Add(now - absl::Nanoseconds(sent_ns));
    }
  }
  LatencySummary Summarize() const {
    const base::MutexLock lock(mutex_);
    return samples_.Summarize();
  }

 private:
  const base::Clock& clock_;
  mutable base::Mutex mutex_;
  LatencySamples samples_ ABSL_GUARDED_BY(mutex_);
};

/// Sends them all without waiting for the end.
absl::Status SendAll(Producer& producer, const ProduceTarget& target, const Workload& workload,
                     const BenchDeps& deps) {
  const RecordValues values(workload.value_bytes, deps.random);
  std::optional<Pacer> pacer;
  if (workload.rate.has_value()) pacer.emplace(deps.clock, *workload.rate);
  uint64_t tag = 0;
  for (int64_t i = 0; i < workload.records; ++i) {
    if (pacer.has_value()) pacer->WaitFor(i);
    if (i % kRecordsPerTag == 0 || pacer.has_value()) {
      tag = static_cast<uint64_t>(absl::ToInt64Nanoseconds(deps.clock.Monotonic()));
    }
    if (i % kRecordsPerLook == 0 && deps.is_interrupted()) {
      return MakeError(Reason::kCancelled, "interrupted");
    }
    Record record;
    record.value = values.Get(i);
    if (workload.spread == Spread::kEven) {
      const PartitionId partition(static_cast<int32_t>(i % target.partitions));
      TALOSMQ_RETURN_IF_ERROR(producer.Send(partition, record, tag));
    } else {
      TALOSMQ_RETURN_IF_ERROR(producer.Send(record, tag));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunResult> SendRecords(Client& client, const ProduceTarget& target,
                                      const Workload& workload, const BenchDeps& deps) {
  DeliveryLatency latency(deps.clock);
  ProducerOptions options;
  options.linger = workload.linger;
  options.batch_bytes = workload.batch_bytes;
  options.on_delivery = [&latency](std::span<const Delivery> batch) { latency.Take(batch); };
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<Producer> producer,
                           Producer::Create(client, target.topic, std::move(options)));
  const absl::Duration began = deps.clock.Monotonic();
  const absl::Status sent = SendAll(*producer, target, workload, deps);
  const absl::Status closed = producer->Close();
  const absl::Duration took = deps.clock.Monotonic() - began;
  TALOSMQ_RETURN_IF_ERROR(sent);
  TALOSMQ_RETURN_IF_ERROR(closed);
  return RunResult{.records = workload.records,
                   .bytes = workload.records * workload.value_bytes,
                   .took = took,
                   .latency = latency.Summarize()};
}

absl::StatusOr<RunResult> RunProduce(Client& client, const Workload& workload,
                                     const BenchDeps& deps) {
  TALOSMQ_ASSIGN_OR_RETURN(BenchTopic topic, BenchTopic::Open(client, workload, deps.random));
  TALOSMQ_ASSIGN_OR_RETURN(
      const RunResult result,
      SendRecords(client, {.topic = topic.name(), .partitions = topic.partitions()}, workload,
                  deps));
  TALOSMQ_RETURN_IF_ERROR(topic.Remove());
  return result;
}

}  // namespace talosmq::loadgen
