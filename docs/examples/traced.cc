// Sends a value within a trace, then finds it again by that trace; counts what the client did:
//   traced 127.0.0.1:9191 TOPIC VALUE 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01

#include "talosmq/client.h"
#include "talosmq/consumer.h"
#include "talosmq/metrics.h"
#include "talosmq/producer.h"
#include "talosmq/trace_context.h"

#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

namespace {

/// Where an application would feed the counters of its metrics library.
class Counters final : public talosmq::ClientMetrics {
 public:
  void OnBatchEnded(const talosmq::BatchEnded& batch) override { sent += batch.records; }
  void OnRecordsTaken(const talosmq::RecordsTaken& records) override { taken += records.records; }
  std::atomic<int64_t> sent{0};
  std::atomic<int64_t> taken{0};
};

absl::Status Send(talosmq::Client& client, const char* topic, const char* value,
                  const talosmq::TraceContext& context) {
  const auto producer = talosmq::RecordProducer::Create(client, topic, {});
  if (!producer.ok()) return producer.status();
  const std::vector<talosmq::Header> headers{{"content-type", "text/plain"}};
  const talosmq::TracedHeaders traced(headers, context);
  talosmq::Record record;
  record.value = value;
  record.headers = traced.headers();
  return (*producer)->SendAndWait(record).status();
}

absl::Status Find(talosmq::Client& client, const char* topic,
                  const talosmq::TraceContext& context) {
  const auto consumer = talosmq::Consumer::Create(client, topic, {});
  if (!consumer.ok()) return consumer.status();
  std::vector<talosmq::PartitionId> partitions;
  for (int32_t number = 0; number < (*consumer)->partition_count(); ++number) {
    partitions.emplace_back(number);
  }
  const absl::Status assigned = (*consumer)->Assign(partitions, talosmq::AtStart());
  if (!assigned.ok()) return assigned;
  while (true) {
    const auto polled = (*consumer)->Poll(absl::Seconds(10));
    if (!polled.ok()) return polled.status();
    if (polled->empty()) return absl::NotFoundError("nothing of that trace came");
    for (const talosmq::RecordBatchView& batch : polled->batches) {
      for (const talosmq::ConsumedRecord& record : batch.records()) {
        if (talosmq::FindTraceContext(record.headers) != context) continue;
        std::cout << record.value.value_or("(none)") << '\n';
        for (const talosmq::Header& header : record.headers) {
          std::cout << header.key << ": " << header.value.value_or("(none)") << '\n';
        }
        return absl::OkStatus();
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s HOST:PORT TOPIC VALUE TRACEPARENT\n", argv[0]);
    return 2;
  }
  const auto context = talosmq::TraceContext::Parse(argv[4]);
  if (!context.has_value()) {
    std::fprintf(stderr, "not a traceparent: %s\n", argv[4]);
    return 2;
  }
  const auto counters = std::make_shared<Counters>();
  talosmq::ClientOptions connection;
  connection.server = argv[1];
  connection.metrics = counters;
  const auto client = talosmq::Client::Connect(connection);
  if (!client.ok()) {
    std::cerr << client.status().message() << '\n';
    return 1;
  }
  absl::Status done = Send(**client, argv[2], argv[3], *context);
  if (done.ok()) done = Find(**client, argv[2], *context);
  if (!done.ok()) std::cerr << done.message() << '\n';
  std::cerr << counters->sent << " sent, " << counters->taken << " taken\n";
  return done.ok() ? 0 : 1;
}
