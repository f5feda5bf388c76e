#pragma once

#include "broker/messages.h"
#include "rpc/unary_call.h"
#include "talosmq/v1/message.pb.h"

#include <memory>

namespace talosmq::rpc {

using DeleteRecordsCall = UnaryCall<v1::DeleteRecordsRequest, v1::DeleteRecordsResponse>;

/// Answers each partition on its own; the call ends when all have their answer. kInvalidArgument
/// when a partition is named twice.
void DeleteRecords(std::shared_ptr<DeleteRecordsCall> call, broker::MessageService& messages);

}  // namespace talosmq::rpc
