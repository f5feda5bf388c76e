#pragma once

#include "base/bytes.h"
#include "talosmq/ids.h"

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include <google/protobuf/message_lite.h>
#include <grpcpp/grpcpp.h>

#include <memory>

namespace talosmq::rpc {

/// The message as the bytes of one gRPC message.
grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message);

/// Parses a raw message without records; kInvalidArgument, naming `what`, when it is none of that
/// type or larger than kControlBytesMax.
absl::Status ParseInto(grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message,
                       std::string_view what);

/// A slice over the bytes of `buffer` that keeps them alive, and `companion` with them; nothing is
/// copied.
grpc::Slice SliceOver(base::Buffer buffer, std::shared_ptr<const void> companion);

/// Of a topic id as a client sends it, so much is kept: enough to tell that it is too long.
inline constexpr size_t kTopicIdBytesKept = sizeof(TopicId) + 1;

/// kUnknownTopicId unless `topic_id` has 16 bytes, kUnknownPartition when the number is negative.
absl::StatusOr<TopicPartition> ParseTarget(std::string_view topic_id, int32_t partition);

/// kInvalidArgument for a partition that a message names again.
absl::Status NamedTwice(const TopicPartition& target);

/// NamedTwice, when two of `entries`, each with a topic_id and a partition, mean the same one.
/// Those that mean none have an answer of their own.
template <typename Entries>
absl::Status CheckDistinct(const Entries& entries) {
  absl::flat_hash_set<TopicPartition> named;
  for (const auto& entry : entries) {
    const absl::StatusOr<TopicPartition> target = ParseTarget(entry.topic_id(), entry.partition());
    if (target.ok() && !named.insert(*target).second) return NamedTwice(*target);
  }
  return absl::OkStatus();
}

/// The wire has the epoch plus one, so that an absent field means "not known".
constexpr LeaderEpoch KnownEpoch(int32_t plus_one) {
  return plus_one <= 0 ? kNoEpoch : LeaderEpoch(plus_one - 1);
}

}  // namespace talosmq::rpc
