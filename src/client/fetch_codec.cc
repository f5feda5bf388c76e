#include "client/fetch_codec.h"

#include "client/error_message.h"
#include "talosmq/error.h"
#include "talosmq/v1/message.pb.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <limits>
#include <optional>

namespace talosmq::client {
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
std::optional<int> ReadLength(CodedInputStream& in) {
  uint32_t length = 0;
  if (!in.ReadVarint32(&length)) return std::nullopt;
  if (length > static_cast<uint32_t>(in.BytesUntilLimit())) return std::nullopt;
  return static_cast<int>(length);
}

bool ReadOffset(CodedInputStream& in, Offset* offset) {
  uint64_t value = 0;
  if (!in.ReadVarint64(&value)) return false;
  *offset = Offset(static_cast<int64_t>(value));
  return true;
}

bool ReadRecords(CodedInputStream& in, base::Buffer* records) {
  const std::optional<int> length = ReadLength(in);
  if (!length.has_value()) return false;
  *records = base::Buffer::Allocate(static_cast<size_t>(*length));
  return in.ReadRaw(records->mutable_bytes().data(), *length);
}

bool ReadError(CodedInputStream& in, absl::Status* status) {
  const std::optional<int> length = ReadLength(in);
  std::string bytes;
  if (!length.has_value() || !in.ReadString(&bytes, *length)) return false;
  v1::Error error;
  if (!error.ParseFromString(bytes)) return false;
  *status = StatusOf(error);
  return true;
}

bool ReadField(CodedInputStream& in, uint32_t tag, FetchedPartition* partition) {
  switch (tag) {
    case VarintTag(v1::FetchedPartition::kSubscriptionIdFieldNumber):
      return in.ReadVarint64(&partition->subscription_id);
    case BytesTag(v1::FetchedPartition::kErrorFieldNumber):
      return ReadError(in, &partition->status);
    case VarintTag(v1::FetchedPartition::kHighWatermarkFieldNumber):
      return ReadOffset(in, &partition->high_watermark);
    case VarintTag(v1::FetchedPartition::kNextOffsetFieldNumber):
      return ReadOffset(in, &partition->next_offset);
    case BytesTag(v1::FetchedPartition::kRecordsFieldNumber):
      return ReadRecords(in, &partition->records);
    default:
      return WireFormatLite::SkipField(&in, tag);
  }
}

bool ReadPartition(CodedInputStream& in, FetchedPartition* partition) {
  const std::optional<int> length = ReadLength(in);
  if (!length.has_value()) return false;
  const CodedInputStream::Limit outer = in.PushLimit(*length);
  while (const uint32_t tag = in.ReadTag()) {
    if (!ReadField(in, tag, partition)) return false;
  }
  if (!in.ConsumedEntireMessage()) return false;
  in.PopLimit(outer);
  return true;
}

bool ReadResponse(CodedInputStream& in, std::vector<FetchedPartition>* partitions) {
  while (const uint32_t tag = in.ReadTag()) {
    if (tag != BytesTag(v1::FetchResponse::kPartitionsFieldNumber)) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    if (!ReadPartition(in, &partitions->emplace_back())) return false;
  }
  return in.ConsumedEntireMessage();
}

}  // namespace

std::string EncodeFetchRequest(const FetchCommand& command) {
  v1::FetchRequest request;
  for (const FetchSubscription& wanted : command.subscribe) {
    v1::Subscription& subscription = *request.add_subscribe();
    subscription.set_subscription_id(wanted.id);
    subscription.set_topic_id(std::string(wanted.source.topic_id.bytes()));
    subscription.set_partition(wanted.source.partition.value());
    subscription.set_offset(wanted.offset.value());
    subscription.set_known_leader_epoch_plus_one(wanted.known_epoch.value() + 1);
  }
  for (const uint64_t id : command.unsubscribe) request.add_unsubscribe(id);
  request.set_credit_bytes(static_cast<uint64_t>(command.credit_bytes));
  return request.SerializeAsString();
}

absl::StatusOr<std::vector<FetchedPartition>> DecodeFetchResponse(
    google::protobuf::io::ZeroCopyInputStream& in, int64_t bytes) {
  std::vector<FetchedPartition> partitions;
  CodedInputStream coded(&in);
  if (bytes <= std::numeric_limits<int>::max()) {
    coded.PushLimit(static_cast<int>(bytes));
    if (ReadResponse(coded, &partitions)) return partitions;
  }
  return MakeError(Reason::kInternal, "fetch stream: expected a FetchResponse, found other bytes");
}

}  // namespace talosmq::client
