#include "rpc/fetch_codec.h"

#include "rpc/error_status.h"
#include "rpc/wire.h"
#include "talosmq/v1/message.pb.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

namespace talosmq::rpc {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

constexpr uint32_t kPartitionsTag = WireFormatLite::MakeTag(
    v1::FetchResponse::kPartitionsFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
constexpr uint32_t kRecordsTag = WireFormatLite::MakeTag(v1::FetchedPartition::kRecordsFieldNumber,
                                                         WireFormatLite::WIRETYPE_LENGTH_DELIMITED);

/// Everything about the partition but its records.
v1::FetchedPartition Envelope(const FetchReply& reply) {
  const broker::FetchOutcome& outcome = reply.outcome;
  v1::FetchedPartition fetched;
  fetched.set_subscription_id(reply.subscription_id);
  fetched.set_topic_id(reply.topic_id.substr(0, sizeof(TopicId)));
  fetched.set_partition(reply.partition);
  fetched.set_log_start_offset(outcome.log_start.value());
  fetched.set_high_watermark(outcome.high_watermark.value());
  fetched.set_leader_epoch(outcome.epoch.value());
  fetched.set_next_offset(outcome.next_offset.value());
  if (!outcome.status.ok()) FillError(outcome.status, *fetched.mutable_error());
  return fetched;
}

/// What stands on the wire before the records: tag and length of the FetchedPartition, its other
/// fields, tag and length of `records`.
std::string Head(const v1::FetchedPartition& fetched, uint32_t record_bytes) {
  size_t size = fetched.ByteSizeLong();
  if (record_bytes > 0) {
    size += CodedOutputStream::VarintSize32(kRecordsTag) +
            CodedOutputStream::VarintSize32(record_bytes) + record_bytes;
  }
  std::string head;
  google::protobuf::io::StringOutputStream stream(&head);
  CodedOutputStream out(&stream);
  out.WriteTag(kPartitionsTag);
  out.WriteVarint32(static_cast<uint32_t>(size));
  fetched.SerializeWithCachedSizes(&out);
  if (record_bytes > 0) {
    out.WriteTag(kRecordsTag);
    out.WriteVarint32(record_bytes);
  }
  out.Trim();
  return head;
}

}  // namespace

int64_t RecordBytes(const broker::FetchOutcome& outcome) {
  int64_t bytes = 0;
  for (const base::Buffer& chunk : outcome.chunks) bytes += static_cast<int64_t>(chunk.size());
  return bytes;
}

grpc::ByteBuffer SerializeFetchResponse(std::vector<FetchReply> replies) {
  std::vector<grpc::Slice> slices;
  for (FetchReply& reply : replies) {
    const auto record_bytes = static_cast<uint32_t>(RecordBytes(reply.outcome));
    const std::string head = Head(Envelope(reply), record_bytes);
    // Shared by its slices, the last of which gives it back.
    const auto share = std::make_shared<ListenerBudget::Share>(std::move(reply.share));
    slices.push_back(SliceOver(base::Buffer::CopyOf(base::AsBytes(head)), share));
    for (base::Buffer& chunk : reply.outcome.chunks) {
      if (!chunk.empty()) slices.push_back(SliceOver(std::move(chunk), share));
    }
  }
  return {slices.data(), slices.size()};
}

}  // namespace talosmq::rpc
