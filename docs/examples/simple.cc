// Stores one value in a partition and reads back what stands at its offset, with calls that block:
//   simple 127.0.0.1:9191 TOPIC PARTITION VALUE

#include "talosmq/client.h"
#include "talosmq/partition_reader.h"
#include "talosmq/producer.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace {

absl::Status StoreAndReadBack(talosmq::Client& client, const char* topic,
                              talosmq::PartitionId partition, const char* value) {
  const auto producer = talosmq::RecordProducer::Create(client, topic, {});
  if (!producer.ok()) return producer.status();
  talosmq::Record record;
  record.value = value;
  const auto stored = (*producer)->SendAndWait(partition, record);
  if (!stored.ok()) return stored.status();
  std::cout << "stored at offset " << stored->offset.value() << '\n';

  const auto reader = talosmq::PartitionReader::Create(client, topic, partition);
  if (!reader.ok()) return reader.status();
  talosmq::FetchOnceOptions options;
  options.wait = absl::Seconds(10);
  const auto fetched = (*reader)->FetchOnce(stored->offset, options);
  if (!fetched.ok()) return fetched.status();
  for (const talosmq::RecordBatchView& batch : fetched->batches) {
    for (const talosmq::ConsumedRecord& read : batch.records()) {
      std::cout << read.offset.value() << ' ' << read.value.value_or("(none)") << '\n';
    }
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s HOST:PORT TOPIC PARTITION VALUE\n", argv[0]);
    return 2;
  }
  talosmq::ClientOptions connection;
  connection.server = argv[1];
  const auto client = talosmq::Client::Connect(connection);
  if (!client.ok()) {
    std::cerr << client.status().message() << '\n';
    return 1;
  }
  const absl::Status done =
      StoreAndReadBack(**client, argv[2], talosmq::PartitionId(std::atoi(argv[3])), argv[4]);
  if (!done.ok()) std::cerr << done.message() << '\n';
  return done.ok() ? 0 : 1;
}
