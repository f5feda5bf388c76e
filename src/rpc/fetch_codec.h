#pragma once

#include "broker/messages.h"
#include "rpc/listener_budget.h"
#include "talosmq/ids.h"

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <vector>

namespace talosmq::rpc {

/// What is said about one partition in a FetchResponse.
struct FetchReply {
  uint64_t subscription_id = 0;
  std::string topic_id;  ///< As it was asked for.
  int32_t partition = 0;
  broker::FetchOutcome outcome;
  ListenerBudget::Share share;  ///< For it and its records, until gRPC has sent them.
};

/// Bytes of records in it.
int64_t RecordBytes(const broker::FetchOutcome& outcome);

/// A serialised talosmq.v1.FetchResponse whose `records` are slices over the broker's own buffers:
/// nothing of them is copied, and they live until gRPC has sent them.
grpc::ByteBuffer SerializeFetchResponse(std::vector<FetchReply> replies);

}  // namespace talosmq::rpc
