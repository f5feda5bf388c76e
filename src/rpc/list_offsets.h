#pragma once

#include "broker/messages.h"
#include "rpc/unary_call.h"
#include "talosmq/v1/message.pb.h"

#include <memory>

namespace talosmq::rpc {

using ListOffsetsCall = UnaryCall<v1::ListOffsetsRequest, v1::ListOffsetsResponse>;

/// Answers each query on its own; the call ends when all have their answer. kInvalidArgument when a
/// partition is named twice: the answers are told apart by it, and each may cost a disk read.
void ListOffsets(std::shared_ptr<ListOffsetsCall> call, broker::MessageService& messages);

}  // namespace talosmq::rpc
