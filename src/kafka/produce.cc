#include "base/text.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/topic_lookup.h"
#include "record/batch.h"

#include <utility>

namespace talosmq::kafka {
namespace {

using ProducePtr = ExchangePtr<ProduceRequest, ProduceResponse>;
using PartitionAnswer = ProduceResponse::Topic::Partition;

constexpr int16_t kFirstVersionWithZstd = 7;
constexpr size_t kMagicPosition = 16;

/// What the version of the request forbids; the rest is the broker's to check.
ErrorCode CheckRecords(std::string_view records, int16_t version) {
  if (records.size() > kMagicPosition && records[kMagicPosition] < 2) {
    return ErrorCode::kUnsupportedForMessageFormat;
  }
  const auto header = record::ParseHeader(base::AsBytes(records));
  if (!header.ok()) return ErrorCode::kCorruptMessage;
  if (header->size() < records.size()) return ErrorCode::kInvalidRecord;  // More than one batch.
  if (header->codec() == record::Codec::kZstd && version < kFirstVersionWithZstd) {
    return ErrorCode::kUnsupportedCompressionType;
  }
  return ErrorCode::kNone;
}

std::optional<broker::Acks> AcksOf(int16_t acks) {
  switch (acks) {
    case -1:
      return broker::Acks::kAll;
    case 0:
      return broker::Acks::kNone;
    case 1:
      return broker::Acks::kLeader;
    default:
      return std::nullopt;
  }
}

void Refuse(const ProducePtr& exchange, PartitionAnswer& answer, ErrorCode code,
            std::string_view message) {
  answer.error_code = Wire(code);
  answer.base_offset = -1;
  if (!message.empty()) answer.error_message = std::string(message);
  if (exchange->request.acks == 0) {
    exchange->EndConnection(base::StrCat("a batch without acknowledgement failed: ", message));
  }
}

void Fill(const ProducePtr& exchange, PartitionAnswer& answer,
          const broker::AppendOutcome& outcome) {
  if (!outcome.status.ok()) {
    return Refuse(exchange, answer, ErrorCodeOf(outcome.status),
                  base::FromAbsl(outcome.status.message()));
  }
  answer.error_code = Wire(ErrorCode::kNone);
  answer.base_offset = outcome.base_offset.value();
  answer.log_start_offset = outcome.log_start.value();
  if (outcome.log_append_time) {
    answer.log_append_time_ms = absl::ToUnixMillis(*outcome.log_append_time);
  }
}

void Append(const Services& services, const ProducePtr& exchange, broker::AppendRequest append,
            std::string_view records, PartitionAnswer& answer) {
  append.batch = base::Buffer::CopyOf(base::AsBytes(records));
  services.messages.Append(std::move(append), [exchange = exchange, &answer](
                                                  const broker::AppendOutcome& outcome) mutable {
    Fill(exchange, answer, outcome);
    exchange.reset();
  });
}

}  // namespace

void Handle(const Services& services, ProducePtr exchange) {
  const ProduceRequest& request = exchange->request;
  if (request.acks == 0) exchange->Silence();
  // Whole before the first callback can run: they keep places in it.
  for (const auto& topic : request.topics) {
    auto& answered = exchange->response.topics.emplace_back();
    answered.name = topic.name;
    for (const auto& partition : topic.partitions) {
      answered.partitions.push_back({.partition = partition.partition,
                                     .error_code = Wire(ErrorCode::kUnknownServerError),
                                     .base_offset = -1,
                                     .record_errors = {},
                                     .error_message = {}});
    }
  }
  const std::optional<broker::Acks> acks = AcksOf(request.acks);
  const auto image = services.topics.image();
  const absl::Duration deadline =
      services.clock.Monotonic() + absl::Milliseconds(request.timeout_ms);
  for (size_t i = 0; i < request.topics.size(); ++i) {
    for (size_t j = 0; j < request.topics[i].partitions.size(); ++j) {
      const auto& partition = request.topics[i].partitions[j];
      PartitionAnswer& answer = exchange->response.topics[i].partitions[j];
      if (!acks) {
        Refuse(exchange, answer, ErrorCode::kInvalidRequiredAcks, "acks is neither -1, 0 nor 1");
        continue;
      }
      if (request.transactional_id) {
        Refuse(exchange, answer, ErrorCode::kTransactionalIdAuthorizationFailed,
               "transactions are not supported");
        continue;
      }
      const auto target = FindPartition(*image, request.topics[i].name, partition.partition);
      if (!target.ok()) {
        Refuse(exchange, answer, ErrorCodeOf(target.status()),
               base::FromAbsl(target.status().message()));
        continue;
      }
      const std::string_view records = partition.records.value_or("");
      const ErrorCode wrong = CheckRecords(records, exchange->version());
      if (wrong != ErrorCode::kNone) {
        Refuse(exchange, answer, wrong, "expected one batch of format 2");
        continue;
      }
      Append(services, exchange,
             {.target = *target, .acks = *acks, .deadline = deadline, .batch = {}}, records,
             answer);
    }
  }
}

}  // namespace talosmq::kafka
