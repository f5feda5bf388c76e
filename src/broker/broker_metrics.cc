#include "broker/broker_metrics.h"

#include "talosmq/error.h"

#include <string>

namespace talosmq::broker {

BrokerMetrics::BrokerMetrics(base::MetricRegistry& registry)
    : registry_(registry),
      appended_records_(registry.AddCounter("talosmq_broker_appended_records_total",
                                            "Records given an offset.", {})),
      appended_bytes_(registry.AddCounter("talosmq_broker_appended_bytes_total",
                                          "Bytes of the batches given an offset.", {})),
      appended_batches_(registry.AddCounter("talosmq_broker_appended_batches_total",
                                            "Batches given an offset.", {})),
      fetched_bytes_(registry.AddCounter("talosmq_broker_fetched_bytes_total",
                                         "Bytes of batches handed to readers.", {})),
      waiting_fetches_(registry.AddGauge("talosmq_broker_waiting_fetches",
                                         "Fetches that wait for a record.", {})),
      partitions_led_(registry.AddGauge("talosmq_broker_partitions_led",
                                        "Partitions appended to since the start, still led.", {})) {
}

void BrokerMetrics::CountAppend(int64_t records, int64_t bytes) {
  appended_records_.Add(records);
  appended_bytes_.Add(bytes);
  appended_batches_.Add(1);
}

void BrokerMetrics::CountFetch(int64_t bytes) { fetched_bytes_.Add(bytes); }

void BrokerMetrics::CountError(const absl::Status& status) {
  registry_
      .AddCounter("talosmq_broker_errors_total", "Calls that failed, by reason.",
                  {{"reason", std::string(ReasonName(ReasonOf(status)))}})
      .Add(1);
}

void BrokerMetrics::AddWaitingFetches(int64_t change) {
  waiting_fetches_.Set(static_cast<double>(waiting_fetches_now_.fetch_add(change) + change));
}

void BrokerMetrics::AddPartitionsLed(int64_t change) {
  partitions_led_.Set(static_cast<double>(partitions_led_now_.fetch_add(change) + change));
}

}  // namespace talosmq::broker
