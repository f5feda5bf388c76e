#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <utility>
#include <vector>

namespace talosmq::kafka {

/// Whole record batches of a response, in order, in buffers that they share with the cache they
/// were read from: they are sent from there, never copied. Thread-compatible; owns its share.
class Records {
 public:
  Records() = default;
  explicit Records(std::vector<base::Buffer> chunks) : chunks_(std::move(chunks)) {}

  const std::vector<base::Buffer>& chunks() const { return chunks_; }
  size_t bytes() const;
  bool empty() const { return bytes() == 0; }

  /// The same bytes, however they are cut into chunks.
  friend bool operator==(const Records& a, const Records& b);

 private:
  std::vector<base::Buffer> chunks_;
};

}  // namespace talosmq::kafka
