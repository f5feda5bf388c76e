#include "rpc/wire.h"

#include "base/status.h"
#include "base/text.h"
#include "rpc/limits.h"

#include <grpcpp/support/proto_buffer_reader.h>

namespace talosmq::rpc {

grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  const grpc::Slice slice(bytes.data(), bytes.size());
  return {&slice, 1};
}

absl::Status ParseInto(grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message,
                       std::string_view what) {
  message.Clear();
  if (bytes.Length() == 0) return absl::OkStatus();
  if (bytes.Length() > kControlBytesMax) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("the ", what, " has ", bytes.Length(), " bytes; at most ",
                                  kControlBytesMax, " are taken"));
  }
  grpc::ProtoBufferReader reader(&bytes);
  if (!reader.status().ok() || !message.ParseFromZeroCopyStream(&reader)) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("the message of ", bytes.Length(), " bytes is no valid ", what));
  }
  return absl::OkStatus();
}

grpc::Slice SliceOver(base::Buffer buffer, std::shared_ptr<const void> companion) {
  struct Held {
    base::Buffer buffer;
    std::shared_ptr<const void> companion;
  };
  auto* const held = new Held{std::move(buffer), std::move(companion)};
  const auto release = [](void* data) { delete static_cast<Held*>(data); };
  // gRPC asks for a mutable pointer and never writes through it.
  return {const_cast<std::byte*>(held->buffer.bytes().data()), held->buffer.size(), release, held};
}

absl::StatusOr<TopicPartition> ParseTarget(std::string_view topic_id, int32_t partition) {
  const std::optional<TopicId> id = TopicId::FromBytes(topic_id);
  if (!id.has_value()) {
    return MakeError(
        Reason::kUnknownTopicId,
        base::StrCat("a topic id has ", sizeof(TopicId), " bytes, this one has ",
                     topic_id.size() > sizeof(TopicId) ? "more" : std::to_string(topic_id.size())));
  }
  if (partition < 0) {
    return MakeError(Reason::kUnknownPartition,
                     base::StrCat("partition ", partition, " of topic ", id->ToString(),
                                  ": partitions count from 0"));
  }
  return TopicPartition{*id, PartitionId(partition)};
}

absl::Status NamedTwice(const TopicPartition& target) {
  return MakeError(
      Reason::kInvalidArgument,
      base::StrCat("partition ", target.partition.value(), " of topic ", target.topic_id.ToString(),
                   " is named twice; one call asks for each partition once"));
}

}  // namespace talosmq::rpc
