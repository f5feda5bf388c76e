#include "broker/broker_metrics.h"

#include "base/check.h"
#include "talosmq/error.h"

#include <string>
#include <vector>

namespace talosmq::broker {

namespace {

/// Upper bounds in seconds, from a read out of memory to a client that gave up long ago.
const std::vector<double> kSecondsBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};

std::string NameOf(RequestKind kind) {
  switch (kind) {
    case RequestKind::kProduce:
      return "produce";
    case RequestKind::kFetch:
      return "fetch";
    case RequestKind::kFindOffset:
      return "find_offset";
    case RequestKind::kDeleteRecords:
      return "delete_records";
  }
  TALOSMQ_CHECK(false) << "kind " << static_cast<int>(kind);
}

base::Counter& AddRequestCounter(base::MetricRegistry& registry, RequestKind kind,
                                 const absl::Status& status) {
  return registry.AddCounter(
      "talosmq_broker_requests_total", "Requests to a partition, by method and result.",
      {{"method", NameOf(kind)},
       {"result", status.ok() ? "OK" : std::string(ReasonName(ReasonOf(status)))}});
}

}  // namespace

BrokerMetrics::BrokerMetrics(base::MetricRegistry& registry)
    : registry_(registry),
      appended_records_(registry.AddCounter("talosmq_broker_appended_records_total",
                                            "Records given an offset.", {})),
      appended_bytes_(registry.AddCounter("talosmq_broker_appended_bytes_total",
                                          "Bytes of the batches given an offset.", {})),
      appended_batches_(registry.AddCounter("talosmq_broker_appended_batches_total",
                                            "Batches given an offset.", {})),
      fetched_records_(registry.AddCounter("talosmq_broker_fetched_records_total",
                                           "Offsets that the batches handed to readers passed.",
                                           {})),
      fetched_bytes_(registry.AddCounter("talosmq_broker_fetched_bytes_total",
                                         "Bytes of batches handed to readers.", {})),
      fetched_batches_(registry.AddCounter("talosmq_broker_fetched_batches_total",
                                           "Batches handed to readers.", {})),
      queue_wait_seconds_(registry.AddHistogram(
          "talosmq_broker_queue_wait_seconds",
          "From the arrival of a batch until it has its offsets.", {}, kSecondsBounds)),
      produce_seconds_(registry.AddHistogram(
          "talosmq_broker_produce_seconds", "From the arrival of a batch until it is acknowledged.",
          {}, kSecondsBounds)),
      fetch_seconds_(registry.AddHistogram("talosmq_broker_fetch_seconds",
                                           "Reads of committed records, without waiting for them.",
                                           {}, kSecondsBounds)),
      done_requests_{&AddRequestCounter(registry, RequestKind::kProduce, absl::OkStatus()),
                     &AddRequestCounter(registry, RequestKind::kFetch, absl::OkStatus()),
                     &AddRequestCounter(registry, RequestKind::kFindOffset, absl::OkStatus()),
                     &AddRequestCounter(registry, RequestKind::kDeleteRecords, absl::OkStatus())},
      waiting_appends_(registry.AddGauge("talosmq_broker_waiting_appends",
                                         "Batches that wait for their log or to become durable.",
                                         {})),
      waiting_fetches_(registry.AddGauge("talosmq_broker_waiting_fetches",
                                         "Fetches that wait for a record.", {})),
      partitions_led_(registry.AddGauge("talosmq_broker_partitions_led",
                                        "Partitions appended to since the start, still led.", {})),
      corrupt_ranges_(registry.AddGauge("talosmq_broker_corrupt_ranges",
                                        "Ranges of offsets that damage hides, as far as it was met "
                                        "since the start, and that no operator has decided about.",
                                        {})) {}

void BrokerMetrics::CountAppend(int64_t records, int64_t bytes) {
  appended_records_.Add(records);
  appended_bytes_.Add(bytes);
  appended_batches_.Add(1);
}

void BrokerMetrics::CountFetch(int64_t records, int64_t batches, int64_t bytes) {
  fetched_records_.Add(records);
  fetched_batches_.Add(batches);
  fetched_bytes_.Add(bytes);
}

void BrokerMetrics::CountRequest(RequestKind kind, const absl::Status& status) {
  base::Counter& requests = status.ok() ? *done_requests_[static_cast<size_t>(kind)]
                                        : AddRequestCounter(registry_, kind, status);
  requests.Add(1);
}

void BrokerMetrics::ObserveQueueWait(absl::Duration taken) {
  queue_wait_seconds_.Observe(absl::ToDoubleSeconds(taken));
}

void BrokerMetrics::ObserveProduce(absl::Duration taken) {
  produce_seconds_.Observe(absl::ToDoubleSeconds(taken));
}

void BrokerMetrics::ObserveFetch(absl::Duration taken) {
  fetch_seconds_.Observe(absl::ToDoubleSeconds(taken));
}

void BrokerMetrics::AddWaitingAppends(int64_t change) {
  waiting_appends_.Set(static_cast<double>(waiting_appends_now_.fetch_add(change) + change));
}

void BrokerMetrics::AddWaitingFetches(int64_t change) {
  waiting_fetches_.Set(static_cast<double>(waiting_fetches_now_.fetch_add(change) + change));
}

void BrokerMetrics::AddPartitionsLed(int64_t change) {
  partitions_led_.Set(static_cast<double>(partitions_led_now_.fetch_add(change) + change));
}

void BrokerMetrics::AddCorruptRanges(int64_t change) {
  corrupt_ranges_.Set(static_cast<double>(corrupt_ranges_now_.fetch_add(change) + change));
}

}  // namespace talosmq::broker
