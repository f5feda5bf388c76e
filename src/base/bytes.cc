#include "base/bytes.h"

#include "base/check.h"

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

Buffer Buffer::Slice(size_t begin, size_t size) const {
  TALOSMQ_CHECK(begin <= size_) << "begin=" << begin << " size=" << size_;
  TALOSMQ_CHECK(size <= size_ - begin) << "begin=" << begin << " slice=" << size << " of " << size_;
  Buffer slice = *this;
  slice.data_ += begin;
  slice.size_ = size;
  return slice;
}

}  // namespace talosmq::base
