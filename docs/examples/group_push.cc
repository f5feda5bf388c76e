// Counts the records of each partition that this member of a group gets, each partition on a
// thread of its own, until its standard input ends:
//   group_push 127.0.0.1:9191 TOPIC GROUP

#include "talosmq/client.h"
#include "talosmq/group_push_consumer.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <mutex>

namespace {

std::mutex output;

/// One for each partition; its calls come one after another.
class Counter final : public talosmq::GroupProcessor {
 public:
  void Init(const talosmq::NamedPartition& partition, talosmq::Offset start) override {
    partition_ = partition;
    Print("begins at", start.value());
  }

  absl::Status Process(const talosmq::RecordBatchView& records,
                       talosmq::Checkpointer& checkpointer) override {
    count_ += static_cast<int64_t>(records.records().size());
    // What this partition has counted is kept with its offset, so it is committed by hand.
    return checkpointer.Commit();
  }

  void Shutdown(const absl::Status& why, talosmq::Checkpointer& /*checkpointer*/) override {
    Print("counted", count_);
    const std::lock_guard<std::mutex> lock(output);
    if (!why.ok()) std::cerr << why.message() << '\n';
  }

 private:
  void Print(const char* what, int64_t number) const {
    const std::lock_guard<std::mutex> lock(output);
    std::cout << partition_.topic << '/' << partition_.partition.value() << ' ' << what << ' '
              << number << std::endl;
  }

  talosmq::NamedPartition partition_;
  int64_t count_ = 0;
};

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
  talosmq::GroupPushConsumerOptions options;
  options.member.group = argv[3];
  options.member.subscription.topics = {argv[2]};
  options.auto_commit = false;
  options.new_processor = [](const talosmq::NamedPartition&) {
    return std::make_unique<Counter>();
  };
  const auto consumer = talosmq::GroupPushConsumer::Create(**client, options);
  if (!consumer.ok()) {
    std::cerr << consumer.status().message() << '\n';
    return 1;
  }
  while (std::cin.get() != EOF) {
  }
  // Ends when every processor is shut down and the group has heard of it.
  const absl::Status stopped = (*consumer)->Stop();
  if (!stopped.ok()) std::cerr << stopped.message() << '\n';
  return stopped.ok() ? 0 : 1;
}
