#include "rpc/produce_codec.h"

#include "base/status.h"
#include "base/text.h"
#include "rpc/error_status.h"
#include "rpc/limits.h"
#include "rpc/wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>

namespace talosmq::rpc {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr uint32_t VarintTag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT);
}
constexpr uint32_t BytesTag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

/// The length of a length-delimited field, when so many bytes are really there.
bool ReadLength(CodedInputStream& in, int* length) {
  uint32_t value = 0;
  if (!in.ReadVarint32(&value) || value > static_cast<uint32_t>(kReceiveBytesMax)) return false;
  *length = static_cast<int>(value);
  return *length <= in.BytesUntilLimit();
}

bool ReadInt32(CodedInputStream& in, int32_t* value) {
  uint64_t wide = 0;  // A negative int32 travels as ten bytes.
  if (!in.ReadVarint64(&wide)) return false;
  *value = static_cast<int32_t>(wide);
  return true;
}

bool ReadTopicId(CodedInputStream& in, ProduceBatch& batch) {
  int length = 0;
  if (!ReadLength(in, &length)) return false;
  const int kept = std::min(length, static_cast<int>(kTopicIdBytesKept));
  return in.ReadString(&batch.topic_id, kept) && in.Skip(length - kept);
}

bool ReadRecords(CodedInputStream& in, ProduceBatch& batch) {
  int length = 0;
  if (!ReadLength(in, &length)) return false;
  batch.records = base::Buffer::Allocate(static_cast<size_t>(length));
  return in.ReadRaw(batch.records.mutable_bytes().data(), length);
}

bool ReadBatchField(CodedInputStream& in, uint32_t tag, ProduceBatch& batch) {
  switch (tag) {
    case BytesTag(v1::PartitionBatch::kTopicIdFieldNumber):
      return ReadTopicId(in, batch);
    case VarintTag(v1::PartitionBatch::kPartitionFieldNumber):
      return ReadInt32(in, &batch.partition);
    case VarintTag(v1::PartitionBatch::kKnownLeaderEpochPlusOneFieldNumber):
      return ReadInt32(in, &batch.known_leader_epoch_plus_one);
    case BytesTag(v1::PartitionBatch::kRecordsFieldNumber):
      return ReadRecords(in, batch);
    default:
      return WireFormatLite::SkipField(&in, tag);
  }
}

bool ReadBatch(CodedInputStream& in, ProduceBatch& batch) {
  int length = 0;
  if (!ReadLength(in, &length)) return false;
  const CodedInputStream::Limit outer = in.PushLimit(length);
  while (const uint32_t tag = in.ReadTag()) {
    if (!ReadBatchField(in, tag, batch)) return false;
  }
  if (!in.ConsumedEntireMessage()) return false;
  in.PopLimit(outer);
  return true;
}

bool ReadTimeout(CodedInputStream& in, absl::Duration* timeout) {
  uint32_t timeout_ms = 0;
  if (!in.ReadVarint32(&timeout_ms)) return false;
  *timeout = timeout_ms == 0 ? absl::InfiniteDuration() : absl::Milliseconds(timeout_ms);
  return true;
}

bool ReadRequestField(CodedInputStream& in, uint32_t tag, ProduceMessage& message) {
  switch (tag) {
    case VarintTag(v1::ProduceRequest::kRequestIdFieldNumber):
      return in.ReadVarint64(&message.request_id);
    case VarintTag(v1::ProduceRequest::kAcksFieldNumber):
      return ReadInt32(in, &message.acks);
    case VarintTag(v1::ProduceRequest::kTimeoutMsFieldNumber):
      return ReadTimeout(in, &message.timeout);
    case BytesTag(v1::ProduceRequest::kBatchesFieldNumber):
      if (message.batches.size() >= static_cast<size_t>(kPartitionsPerMessageMax)) return false;
      return ReadBatch(in, message.batches.emplace_back());
    default:
      return WireFormatLite::SkipField(&in, tag);
  }
}

absl::Status Malformed(size_t size) {
  return MakeError(
      Reason::kInvalidArgument,
      base::StrCat("the message of ", size, " bytes is no valid ProduceRequest of at most ",
                   kPartitionsPerMessageMax, " batches"));
}

}  // namespace

absl::StatusOr<ProduceMessage> ParseProduceRequest(grpc::ByteBuffer& bytes) {
  ProduceMessage message;
  const size_t size = bytes.Length();
  if (size == 0) return message;
  grpc::ProtoBufferReader reader(&bytes);
  if (!reader.status().ok() || size > static_cast<size_t>(kReceiveBytesMax)) return Malformed(size);
  CodedInputStream in(&reader);
  in.PushLimit(static_cast<int>(size));
  while (const uint32_t tag = in.ReadTag()) {
    if (!ReadRequestField(in, tag, message)) return Malformed(size);
  }
  if (!in.ConsumedEntireMessage()) return Malformed(size);
  return message;
}

absl::StatusOr<broker::Acks> AcksOf(const ProduceMessage& message) {
  switch (message.acks) {
    case v1::ACKS_ALL:
      return broker::Acks::kAll;
    case v1::ACKS_LEADER:
      return broker::Acks::kLeader;
    case v1::ACKS_NONE:
      return broker::Acks::kNone;
    default:
      return MakeError(
          Reason::kInvalidAcks,
          base::StrCat("acks is ", message.acks, "; it is 0 (all), 1 (leader) or 2 (none)"));
  }
}

void FillAck(std::string_view topic_id, int32_t partition, const broker::AppendOutcome& outcome,
             v1::PartitionAck& ack) {
  // Of an id that is too long no more comes back than a right one has.
  ack.set_topic_id(std::string(topic_id.substr(0, sizeof(TopicId))));
  ack.set_partition(partition);
  ack.set_log_start_offset(outcome.log_start.value());
  ack.set_leader_epoch(outcome.epoch.value());
  if (!outcome.status.ok()) {
    FillError(outcome.status, *ack.mutable_error());
    return;
  }
  ack.set_base_offset(outcome.base_offset.value());
  ack.set_last_offset(outcome.last_offset.value());
  ack.set_is_duplicate(outcome.is_duplicate);
  if (outcome.log_append_time.has_value()) {
    ack.set_log_append_time_ms(absl::ToUnixMillis(*outcome.log_append_time));
  }
}

}  // namespace talosmq::rpc
