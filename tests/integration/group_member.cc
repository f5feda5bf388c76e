// group_member SERVER TOPIC: a member of the group of that name, which tells what it does in lines
// on stdout, each with the time on the clock that all processes of a machine share. It goes on
// until it is killed.

#include "talosmq/client.h"
#include "talosmq/group_consumer.h"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace talosmq {
namespace {

constexpr absl::Duration kPollWait = absl::Milliseconds(50);
constexpr int kPollsPerCommit = 3;

/// One write for a line, so that a kill cuts no line that was acted upon.
void Tell(const std::string& event, PartitionId partition, const std::string& rest = {}) {
  std::ostringstream line;
  line << event << ' ' << std::chrono::steady_clock::now().time_since_epoch().count() << ' '
       << partition.value() << ' ' << rest << '\n';
  std::cout << line.str() << std::flush;
}

void Tell(const std::string& event, PartitionId partition, Offset first, Offset next) {
  Tell(event, partition, std::to_string(first.value()) + ' ' + std::to_string(next.value()));
}

/// The values are the offsets, in words: a record that came to another place is told.
std::optional<std::string> Mistake(const ConsumedRecord& record) {
  int64_t number = -1;
  const std::string_view value = record.value.value_or("");
  std::from_chars(value.data(), value.data() + value.size(), number);
  if (Offset(number) == record.offset) return std::nullopt;
  return std::to_string(record.offset.value()) + " holds " + std::string(value);
}

int Run(const std::string& server, const std::string& topic) {
  auto client = Client::Connect({.server = server});
  if (!client.ok()) return 1;
  GroupConsumer* self = nullptr;
  GroupConsumerOptions options{.member = {.group = topic,
                                          .subscription = {.topics = {topic}, .patterns = {}},
                                          .lease = absl::Seconds(2)},
                               .auto_commit = false};
  options.on_assigned = [&self](const std::vector<NamedPartition>& partitions) {
    for (const NamedPartition& partition : partitions) {
      const Offset start = *self->position(partition);
      Tell("assigned", partition.partition, start, start);
    }
  };
  const auto ended = [](const std::vector<NamedPartition>& partitions) {
    for (const NamedPartition& partition : partitions) {
      Tell("ended", partition.partition, Offset(0), Offset(0));
    }
  };
  options.on_lost = ended;
  options.on_revoked = ended;
  auto consumer = GroupConsumer::Create(**client, std::move(options));
  if (!consumer.ok()) return 1;
  self = consumer->get();
  for (int polls = 1;; ++polls) {
    const auto polled = self->Poll(kPollWait);
    if (!polled.ok()) return 1;
    for (const GroupBatch& batch : polled->batches) {
      const auto records = batch.records.records();
      for (const ConsumedRecord& record : records) {
        if (const auto mistake = Mistake(record)) {
          Tell("wrong", batch.partition.partition, *mistake);
          return 1;
        }
      }
      Tell("read", batch.partition.partition, records.front().offset, records.back().offset + 1);
    }
    if (polls % kPollsPerCommit != 0) continue;
    const std::vector<GroupPosition> positions = self->positions();
    if (!self->CommitSync().ok()) continue;
    for (const GroupPosition& position : positions) {
      Tell("committed", position.partition.partition, Offset(0), position.position);
    }
  }
}

}  // namespace
}  // namespace talosmq

int main(int argc, char** argv) { return argc == 3 ? talosmq::Run(argv[1], argv[2]) : 2; }
