#pragma once

#include "talosmq/error.h"
#include "talosmq/v1/error.pb.h"

#include "absl/status/status.h"
#include <grpcpp/grpcpp.h>

namespace talosmq::rpc {

/// Trailer that carries a serialised talosmq.v1.Error beside a failed call's status.
inline constexpr char kErrorTrailer[] = "talosmq-error-bin";

/// The one translation of reasons for this front.
grpc::StatusCode GrpcCodeOf(Reason reason);

/// Fills `error` from a status that is not OK; its words are cut at kErrorMessageBytesMax.
void FillError(const absl::Status& status, v1::Error& error);

void FillRange(const CorruptRange& range, v1::CorruptRange& to);

/// The status a call ends with; not OK ones also leave their reason in the trailer of `context`.
/// At most once for each call, before Finish.
grpc::Status EndOfCall(grpc::CallbackServerContext& context, const absl::Status& status);

}  // namespace talosmq::rpc
