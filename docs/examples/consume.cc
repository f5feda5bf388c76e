// Prints the values of a topic from its start up to where it ends now:
//   consume 127.0.0.1:9191 TOPIC

#include "talosmq/client.h"
#include "talosmq/consumer.h"

#include <cstdio>
#include <iostream>
#include <map>
#include <vector>

namespace {

absl::Status PrintAll(talosmq::Consumer& consumer) {
  std::vector<talosmq::PartitionId> partitions;
  std::map<talosmq::PartitionId, talosmq::Offset> ends;
  for (int32_t number = 0; number < consumer.partition_count(); ++number) {
    const talosmq::PartitionId partition(number);
    const auto end = consumer.FindOffset(partition, talosmq::AtEnd());
    if (!end.ok()) return end.status();
    partitions.push_back(partition);
    ends[partition] = *end;
  }
  const absl::Status assigned = consumer.Assign(partitions, talosmq::AtStart());
  if (!assigned.ok()) return assigned;

  while (true) {
    bool at_end = true;
    for (const talosmq::PartitionPosition& at : consumer.positions()) {
      at_end = at_end && at.position >= ends[at.partition];
    }
    if (at_end) return absl::OkStatus();
    const auto polled = consumer.Poll(absl::Seconds(1));
    if (!polled.ok()) return polled.status();
    for (const talosmq::RecordBatchView& batch : polled->batches) {
      // The views live as long as `batch`, or a copy of it.
      for (const talosmq::ConsumedRecord& record : batch.records()) {
        std::cout << record.value.value_or("(none)") << '\n';
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s HOST:PORT TOPIC\n", argv[0]);
    return 2;
  }
  talosmq::ClientOptions connection;
  connection.server = argv[1];
  const auto client = talosmq::Client::Connect(connection);
  if (!client.ok()) {
    std::cerr << client.status().message() << '\n';
    return 1;
  }
  const auto consumer = talosmq::Consumer::Create(**client, argv[2], {});
  if (!consumer.ok()) {
    std::cerr << consumer.status().message() << '\n';
    return 1;
  }
  const absl::Status printed = PrintAll(**consumer);
  if (!printed.ok()) std::cerr << printed.message() << '\n';
  return printed.ok() ? 0 : 1;
}
