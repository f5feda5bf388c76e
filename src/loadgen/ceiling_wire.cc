#include "loadgen/ceiling_wire.h"

#include "base/status.h"
#include "base/text.h"

#include <array>
#include <cstring>
#include <utility>

namespace talosmq::loadgen {

grpc::ByteBuffer ToMessage(base::Buffer batch) {
  // gRPC holds a slice by a raw pointer, so the shared block needs a keeper on the heap.
  auto* const keeper = new base::Buffer(std::move(batch));
  // gRPC asks for a mutable pointer and does not write through it.
  auto* const data = const_cast<std::byte*>(keeper->bytes().data());
  const grpc::Slice slice(
      data, keeper->size(), [](void* kept) { delete static_cast<base::Buffer*>(kept); }, keeper);
  return grpc::ByteBuffer(&slice, 1);
}

absl::StatusOr<base::Buffer> CopyMessage(const grpc::ByteBuffer& message) {
  std::vector<grpc::Slice> slices;
  if (!message.Dump(&slices).ok()) return MakeError(Reason::kInternal, "unreadable gRPC message");
  base::Buffer batch = base::Buffer::Allocate(message.Length());
  std::byte* to = batch.mutable_bytes().data();
  for (const grpc::Slice& slice : slices) {
    std::memcpy(to, slice.begin(), slice.size());
    to += slice.size();
  }
  return batch;
}

grpc::ByteBuffer EncodeAck(uint32_t batches) {
  std::array<std::byte, sizeof(batches)> bytes{};
  base::StoreBigEndian(bytes.data(), batches);
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

absl::StatusOr<uint32_t> DecodeAck(const grpc::ByteBuffer& message) {
  TALOSMQ_ASSIGN_OR_RETURN(const base::Buffer bytes, CopyMessage(message));
  if (bytes.size() != sizeof(uint32_t)) {
    return MakeError(Reason::kInternal,
                     base::StrCat("an acknowledgement has 4 bytes, found ", bytes.size()));
  }
  return base::LoadBigEndian<uint32_t>(bytes.bytes().data());
}

}  // namespace talosmq::loadgen
