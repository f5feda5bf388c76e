// Sends the lines of its standard input to a topic, one record a line:
//   produce 127.0.0.1:9191 TOPIC < lines

#include "talosmq/client.h"
#include "talosmq/producer.h"

#include <cstdio>
#include <iostream>
#include <string>

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

  // Runs on the producer's thread, once for each batch that was answered.
  talosmq::ProducerOptions options;
  options.on_delivery = [](std::span<const talosmq::Delivery> deliveries) {
    for (const talosmq::Delivery& delivery : deliveries) {
      if (delivery.status.ok()) continue;
      std::cerr << "line " << delivery.tag << ": " << delivery.status.message() << '\n';
    }
  };
  const auto producer = talosmq::Producer::Create(**client, argv[2], options);
  if (!producer.ok()) {
    std::cerr << producer.status().message() << '\n';
    return 1;
  }

  std::string line;
  for (uint64_t number = 1; std::getline(std::cin, line); ++number) {
    talosmq::Record record;
    record.value = line;
    const absl::Status accepted = (*producer)->Send(record, number);
    if (!accepted.ok()) std::cerr << "line " << number << ": " << accepted.message() << '\n';
  }
  // Everything accepted has its delivery when Close returns.
  return (*producer)->Close().ok() ? 0 : 1;
}
