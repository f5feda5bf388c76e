// Shares a topic with the other members of a group and prints what comes, until its standard input
// ends. Started several times, each record is printed by one of them:
//   group_consume 127.0.0.1:9191 TOPIC GROUP

#include "talosmq/client.h"
#include "talosmq/group_consumer.h"

#include <atomic>
#include <cstdio>
#include <iostream>
#include <thread>

namespace {

/// Every Poll commits, now and then, what the one before it returned.
absl::Status PrintUntil(const std::atomic<bool>& done, talosmq::GroupConsumer& consumer) {
  while (!done) {
    const auto polled = consumer.Poll(absl::Milliseconds(100));
    if (!polled.ok()) return polled.status();
    for (const talosmq::GroupBatch& batch : polled->batches) {
      for (const talosmq::ConsumedRecord& record : batch.records.records()) {
        std::cout << batch.partition.partition.value() << ':' << record.offset.value() << ' '
                  << record.value.value_or("(none)") << '\n';
      }
    }
    std::cout << std::flush;
  }
  // Commits the rest, and lets the others go on at once.
  return consumer.Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s HOST:PORT TOPIC GROUP\n", argv[0]);
    return 2;
  }
  talosmq::ClientOptions connection;
  connection.server = argv[1];
  const auto client = talosmq::Client::Connect(connection);
  if (!client.ok()) {
    std::cerr << client.status().message() << '\n';
    return 1;
  }
  talosmq::GroupConsumerOptions options;
  options.member.group = argv[3];
  options.member.subscription.topics = {argv[2]};
  const auto consumer = talosmq::GroupConsumer::Create(**client, options);
  if (!consumer.ok()) {
    std::cerr << consumer.status().message() << '\n';
    return 1;
  }
  std::atomic<bool> done = false;
  std::thread input([&done] {
    while (std::cin.get() != EOF) {
    }
    done = true;
  });
  const absl::Status ended = PrintUntil(done, **consumer);
  if (!ended.ok()) std::cerr << ended.message() << '\n';
  input.join();
  return ended.ok() ? 0 : 1;
}
