#include "client/produce_codec.h"

#include "base/text.h"
#include "client/error_message.h"
#include "talosmq/error.h"
#include "talosmq/v1/message.pb.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <limits>

namespace talosmq::client {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

uint8_t* WriteLengthDelimitedHeader(int field, size_t length, uint8_t* to) {
  to = WireFormatLite::WriteTagToArray(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, to);
  return CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(length), to);
}

size_t LengthDelimitedHeaderBytes(int field, size_t length) {
  return WireFormatLite::TagSize(field, WireFormatLite::TYPE_BYTES) +
         CodedOutputStream::VarintSize32(static_cast<uint32_t>(length));
}

v1::Acks ToProto(Acks acks) {
  switch (acks) {
    case Acks::kAll:
      return v1::ACKS_ALL;
    case Acks::kLeader:
      return v1::ACKS_LEADER;
    case Acks::kNone:
      return v1::ACKS_NONE;
  }
  return v1::ACKS_ALL;
}

uint32_t TimeoutMs(absl::Duration timeout) {
  const int64_t ms = absl::ToInt64Milliseconds(timeout);
  return static_cast<uint32_t>(std::clamp<int64_t>(ms, 1, std::numeric_limits<uint32_t>::max()));
}

base::Buffer Serialize(const google::protobuf::MessageLite& message) {
  base::Buffer buffer = base::Buffer::Allocate(message.ByteSizeLong());
  message.SerializeToArray(buffer.mutable_bytes().data(), static_cast<int>(buffer.size()));
  return buffer;
}

/// Everything of one entry of `batches` up to the first byte of its records.
base::Buffer EncodeBatchHead(const PartitionBatch& batch) {
  v1::PartitionBatch fields;
  fields.set_topic_id(std::string(batch.target.topic_id.bytes()));
  fields.set_partition(batch.target.partition.value());
  fields.set_known_leader_epoch_plus_one(batch.known_epoch.value() + 1);
  const size_t fields_bytes = fields.ByteSizeLong();
  const size_t records_head =
      LengthDelimitedHeaderBytes(v1::PartitionBatch::kRecordsFieldNumber, batch.records.size());
  const size_t entry_bytes = fields_bytes + records_head + batch.records.size();
  const size_t entry_head =
      LengthDelimitedHeaderBytes(v1::ProduceRequest::kBatchesFieldNumber, entry_bytes);

  base::Buffer head = base::Buffer::Allocate(entry_head + fields_bytes + records_head);
  auto* to = reinterpret_cast<uint8_t*>(head.mutable_bytes().data());
  to = WriteLengthDelimitedHeader(v1::ProduceRequest::kBatchesFieldNumber, entry_bytes, to);
  to = fields.SerializeWithCachedSizesToArray(to);
  WriteLengthDelimitedHeader(v1::PartitionBatch::kRecordsFieldNumber, batch.records.size(), to);
  return head;
}

}  // namespace

std::vector<base::Buffer> EncodeProduceRequest(const ProduceMessage& message) {
  v1::ProduceRequest fields;
  fields.set_request_id(message.request_id);
  fields.set_acks(ToProto(message.acks));
  fields.set_timeout_ms(TimeoutMs(message.timeout));
  std::vector<base::Buffer> pieces;
  pieces.reserve(1 + 2 * message.batches.size());
  pieces.push_back(Serialize(fields));
  for (const PartitionBatch& batch : message.batches) {
    pieces.push_back(EncodeBatchHead(batch));
    pieces.push_back(batch.records);
  }
  return pieces;
}

absl::StatusOr<ProduceAnswer> DecodeProduceResponse(google::protobuf::io::ZeroCopyInputStream& in) {
  v1::ProduceResponse response;
  if (!response.ParseFromZeroCopyStream(&in)) {
    return MakeError(Reason::kInternal,
                     "produce stream: expected a ProduceResponse, found other bytes");
  }
  ProduceAnswer answer{.request_id = response.request_id(), .acks = {}};
  answer.acks.reserve(static_cast<size_t>(response.acks_size()));
  for (const v1::PartitionAck& ack : response.acks()) {
    const std::optional<TopicId> topic_id = TopicId::FromBytes(ack.topic_id());
    if (!topic_id.has_value()) {
      return MakeError(Reason::kInternal,
                       base::StrCat("produce answer: expected a topic id of 16 bytes, found ",
                                    ack.topic_id().size()));
    }
    answer.acks.push_back({.target = {*topic_id, PartitionId(ack.partition())},
                           .status = ack.has_error() ? StatusOf(ack.error()) : absl::OkStatus(),
                           .base_offset = Offset(ack.base_offset())});
  }
  return answer;
}

}  // namespace talosmq::client
