#include "base/bytes.h"

#include "base/check.h"

#include <utility>

namespace talosmq::base {

Buffer Buffer::Allocate(size_t size) {
  Buffer buffer;
  buffer.block_ = std::make_shared_for_overwrite<std::byte[]>(size);
  buffer.data_ = buffer.block_.get();
  buffer.size_ = size;
  return buffer;
}

Buffer Buffer::CopyOf(ByteSpan bytes) {
  Buffer buffer = Allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data_, bytes.data(), bytes.size());
  return buffer;
}

Buffer Buffer::With(std::shared_ptr<const void> companion) && {
  struct Shared {
    std::shared_ptr<const void> companion;
    std::shared_ptr<std::byte[]> block;
  };
  auto shared = std::make_shared<Shared>(Shared{std::move(companion), std::move(block_)});
  std::byte* const block = shared->block.get();
  block_ = std::shared_ptr<std::byte[]>(std::move(shared), block);
  return std::move(*this);
}

Buffer Buffer::Slice(size_t begin, size_t size) const {
  TALOSMQ_CHECK(begin <= size_) << "begin=" << begin << " size=" << size_;
  TALOSMQ_CHECK(size <= size_ - begin) << "begin=" << begin << " slice=" << size << " of " << size_;
  Buffer slice = *this;
  slice.data_ += begin;
  slice.size_ = size;
  return slice;
}

}  // namespace talosmq::base
