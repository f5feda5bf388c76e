#pragma once

#include "base/bytes.h"
#include "broker/messages.h"
#include "talosmq/v1/message.pb.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <vector>

namespace talosmq::rpc {

/// One entry of a ProduceRequest, before its fields are judged.
struct ProduceBatch {
  std::string topic_id;  ///< Its first kTopicIdBytesKept bytes.
  int32_t partition = 0;
  int32_t known_leader_epoch_plus_one = 0;
  base::Buffer records;  ///< This object is its only owner.
};

/// A talosmq.v1.ProduceRequest.
struct ProduceMessage {
  uint64_t request_id = 0;
  int32_t acks = 0;
  absl::Duration timeout = absl::InfiniteDuration();
  std::vector<ProduceBatch> batches;
};

/// Reads a ProduceRequest straight from the slices it came in; each `records` field is copied once,
/// into a buffer of its own. Takes every encoding that a protobuf parser takes. No length in it
/// makes this allocate more than has arrived. kInvalidArgument when it is no such message, or names
/// more than kPartitionsPerMessageMax partitions.
absl::StatusOr<ProduceMessage> ParseProduceRequest(grpc::ByteBuffer& bytes);

/// kInvalidAcks for a number that is none of talosmq.v1.Acks.
absl::StatusOr<broker::Acks> AcksOf(const ProduceMessage& message);

/// Fills the answer to one batch of `topic_id` and `partition`, which are told as they came.
void FillAck(std::string_view topic_id, int32_t partition, const broker::AppendOutcome& outcome,
             v1::PartitionAck& ack);

}  // namespace talosmq::rpc
