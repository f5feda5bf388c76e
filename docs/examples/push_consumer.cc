// Prints the values of a topic as they come, each partition on a thread of its own, until its
// standard input ends:
//   push_consumer 127.0.0.1:9191 TOPIC

#include "talosmq/push_consumer.h"

#include "talosmq/client.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>

namespace {

std::mutex output;

/// One for each partition; its calls come one after another.
class Printer final : public talosmq::Processor {
 public:
  void Init(talosmq::PartitionId partition, talosmq::Offset /*start*/) override {
    partition_ = partition;
  }

  absl::Status Process(const talosmq::RecordBatchView& records) override {
    std::ostringstream lines;
    for (const talosmq::ConsumedRecord& record : records.records()) {
      lines << partition_.value() << ':' << record.offset.value() << ' '
            << record.value.value_or("(none)") << '\n';
    }
    // An application would also keep records.records().back().offset + 1: where to begin next time.
    const std::lock_guard<std::mutex> lock(output);
    std::cout << lines.str() << std::flush;
    return absl::OkStatus();
  }

  void Shutdown(const absl::Status& why) override {
    const std::lock_guard<std::mutex> lock(output);
    if (!why.ok()) std::cerr << why.message() << '\n';
  }

 private:
  talosmq::PartitionId partition_;
};

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
  talosmq::PushConsumerOptions options;
  options.new_processor = [](talosmq::PartitionId) { return std::make_unique<Printer>(); };
  const auto consumer = talosmq::PushConsumer::Create(**client, argv[2], options);
  if (!consumer.ok()) {
    std::cerr << consumer.status().message() << '\n';
    return 1;
  }
  for (int32_t number = 0; number < (*consumer)->partition_count(); ++number) {
    const absl::Status added = (*consumer)->Add(talosmq::PartitionId(number), talosmq::AtStart());
    if (added.ok()) continue;
    std::cerr << added.message() << '\n';
    return 1;
  }
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  // Ends when every Process that runs has returned and every processor is shut down.
  (*consumer)->Stop();
  return 0;
}
