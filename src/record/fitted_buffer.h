#pragma once

#include "base/bytes.h"

#include <cstddef>

namespace talosmq::record {

/// The first `used` bytes of `block`: a slice of it, or, when that would keep more unused bytes
/// alive than used ones, a copy. So a batch never pins more than twice its size.
inline base::Buffer Fitted(const base::Buffer& block, size_t used) {
  if (block.size() - used > used) return base::Buffer::CopyOf(block.bytes().first(used));
  return block.Slice(0, used);
}

}  // namespace talosmq::record
