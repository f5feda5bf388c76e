#pragma once

#include "base/bytes.h"

#include "absl/status/statusor.h"
#include "grpcpp/support/byte_buffer.h"

#include <cstdint>
#include <span>
#include <vector>

namespace talosmq::loadgen {

/// The one stream of `ceiling`. Up: messages of one batch each, raw. Down: how many more batches
/// are durable, a big-endian 32-bit number each.
inline constexpr char kCeilingMethod[] = "/talosmq.ceiling/Produce";

// What server and SDK tell gRPC's transport, too, so that the comparison is about what is above it.
inline constexpr int kCeilingFrameBytesMax = 1 << 20;
inline constexpr int kCeilingReadChunkBytes = 256 << 10;
inline constexpr int kCeilingReceiveBytesMax = 24 << 20;

/// Shares the batch's bytes; they are released when gRPC has no more use for them.
grpc::ByteBuffer ToMessage(base::Buffer batch);
/// The one copy of a received batch, into one piece.
absl::StatusOr<base::Buffer> CopyMessage(const grpc::ByteBuffer& message);

grpc::ByteBuffer EncodeAck(uint32_t batches);
absl::StatusOr<uint32_t> DecodeAck(const grpc::ByteBuffer& message);

}  // namespace talosmq::loadgen
