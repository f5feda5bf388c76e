#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/topic_lookup.h"

#include <utility>

namespace talosmq::kafka {
namespace {

using EpochPtr = ExchangePtr<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>;
using PartitionAnswer = OffsetForLeaderEpochResponse::Topic::Partition;

void Find(const Services& services, EpochPtr exchange, const broker::HistoryQuery& query,
          PartitionAnswer& answer) {
  services.messages.FindHistory(query, [exchange = std::move(exchange),
                                        &answer](const broker::HistoryOutcome& history) mutable {
    answer.error_code = WireErrorOf(history.status);
    // One that is newer than all has no end, which is no error.
    if (history.status.ok() && history.last_epoch) {
      answer.leader_epoch = history.last_epoch->epoch.value();
      answer.end_offset = history.last_epoch->end.value();
    }
    exchange.reset();
  });
}

}  // namespace

void Handle(const Services& services, EpochPtr exchange) {
  const OffsetForLeaderEpochRequest& request = exchange->request;
  const auto image = services.topics.image();
  for (const auto& topic : request.topics) {
    auto& answered = exchange->response.topics.emplace_back();
    answered.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& answer = answered.partitions.emplace_back();
      answer.partition = partition.partition;
      answer.error_code = Wire(ErrorCode::kUnknownServerError);
    }
  }
  for (size_t i = 0; i < request.topics.size(); ++i) {
    for (size_t j = 0; j < request.topics[i].partitions.size(); ++j) {
      const auto& asked = request.topics[i].partitions[j];
      PartitionAnswer& answer = exchange->response.topics[i].partitions[j];
      const auto source = FindPartition(*image, request.topics[i].name, asked.partition);
      answer.error_code = WireErrorOf(source.status());
      if (!source.ok()) continue;
      answer.error_code = Wire(ErrorCode::kUnknownServerError);
      Find(services, exchange,
           {.source = *source,
            .epoch = LeaderEpoch(asked.leader_epoch),
            .known_epoch = LeaderEpoch(asked.current_leader_epoch)},
           answer);
    }
  }
}

}  // namespace talosmq::kafka
