#include "base/status.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/topic_lookup.h"
#include "record/batch.h"

#include <utility>

namespace talosmq::kafka {
namespace {

using ListPtr = ExchangePtr<ListOffsetsRequest, ListOffsetsResponse>;
using PartitionAnswer = ListOffsetsResponse::Topic::Partition;

constexpr int64_t kEnd = -1;
constexpr int64_t kStart = -2;

std::optional<broker::OffsetSpec> SpecOf(int64_t timestamp) {
  if (timestamp == kEnd) return broker::FromEnd();
  if (timestamp == kStart) return broker::FromStart();
  if (timestamp >= 0) return absl::FromUnixMillis(timestamp);
  return std::nullopt;
}

void Tell(PartitionAnswer& answer, const ListPtr& exchange, Offset offset, LeaderEpoch epoch) {
  if (exchange->version() == 0) {
    answer.old_style_offsets = {offset.value()};
    return;
  }
  answer.offset = offset.value();
  answer.leader_epoch = exchange->version() >= 4 ? epoch.value() : -1;
}

/// The time of the record at `offset`, in the first of these batches.
absl::StatusOr<int64_t> TimestampAt(Offset offset, const std::vector<base::Buffer>& chunks) {
  base::ByteSpan rest = chunks.empty() ? base::ByteSpan() : chunks.front().bytes();
  while (!rest.empty()) {
    TALOSMQ_ASSIGN_OR_RETURN(const record::BatchHeader header, record::ParseHeader(rest));
    if (header.last_offset() >= offset) {
      TALOSMQ_ASSIGN_OR_RETURN(auto batch,
                               record::BatchReader::Open(rest.first(header.size()), {}));
      while (true) {
        TALOSMQ_ASSIGN_OR_RETURN(const auto record, batch.Next());
        if (!record) break;
        if (record->offset >= offset) return record->timestamp_ms;
      }
    }
    rest = rest.subspan(header.size());
  }
  return MakeError(Reason::kOffsetOutOfRange, "the record has gone meanwhile");
}

bool IsUnreadable(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  return reason == Reason::kCorruptData || reason == Reason::kCorruptBatch ||
         reason == Reason::kInvalidRecord;
}

/// Kafka tells the time of the record that it has found, from version 1 on. Where that cannot be
/// read, the time that was asked for: the reader is to meet the damage, and not to ask for ever.
void FindTimestamp(const Services& services, ListPtr exchange, PartitionAnswer& answer,
                   const broker::OffsetQuery& query, Offset offset) {
  services.messages.Fetch(
      {.source = query.source, .offset = offset, .bytes_max = 1},
      [exchange = std::move(exchange), &answer, offset,
       asked = std::get<absl::Time>(query.spec)](const broker::FetchOutcome& found) mutable {
        absl::StatusOr<int64_t> timestamp =
            found.status.ok() ? TimestampAt(offset, found.chunks) : found.status;
        if (IsUnreadable(timestamp.status())) timestamp = absl::ToUnixMillis(asked);
        answer.error_code = WireErrorOf(timestamp.status());
        if (timestamp.ok()) answer.timestamp = *timestamp;
        exchange.reset();
      });
}

void Find(const Services& services, const ListPtr& exchange, const broker::OffsetQuery& query,
          PartitionAnswer& answer) {
  services.messages.FindOffset(query, [services, exchange = exchange, &answer,
                                       query](const broker::OffsetOutcome& found) mutable {
    answer.error_code = WireErrorOf(found.status);
    const bool is_time = std::holds_alternative<absl::Time>(query.spec);
    const bool is_none = is_time && found.offset >= found.high_watermark;
    if (found.status.ok() && !is_none) {
      Tell(answer, exchange, found.offset, found.epoch);
      if (is_time && exchange->version() > 0) {
        return FindTimestamp(services, std::move(exchange), answer, query, found.offset);
      }
    }
    exchange.reset();
  });
}

}  // namespace

void Handle(const Services& services, ListPtr exchange) {
  const ListOffsetsRequest& request = exchange->request;
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
      const auto spec = SpecOf(asked.timestamp);
      if (source.ok() && spec) {
        Find(services, exchange,
             {.source = *source,
              .known_epoch = LeaderEpoch(asked.current_leader_epoch),
              .spec = *spec},
             answer);
      } else {
        answer.error_code =
            source.ok() ? Wire(ErrorCode::kUnsupportedVersion) : WireErrorOf(source.status());
      }
    }
  }
}

}  // namespace talosmq::kafka
