#pragma once

#include "base/bytes.h"

#include "absl/status/statusor.h"

#include <cstddef>
#include <cstdint>

namespace talosmq::record {

/// Where a decompressor puts its output: one block that grows as output comes, up to a cap.
///
/// Invariant: the block is never larger than twice the output or the compressed bytes call for,
/// nor than the cap plus the one byte by which going beyond it is noticed. Thread-compatible.
class InflateSink {
 public:
  /// `compressed_bytes`: how many have arrived; the first block follows from them.
  InflateSink(size_t compressed_bytes, int64_t bytes_max);

  /// Room for the next output, at least `bytes_min`, valid until the next call. kBatchTooLarge
  /// when the cap is passed or would be by so many bytes.
  absl::StatusOr<base::MutableByteSpan> Room(size_t bytes_min);
  /// The first `bytes` of the room now hold output.
  void Commit(size_t bytes) { used_ += bytes; }

  /// All the output, the sink being empty afterwards; kBatchTooLarge when it passed the cap.
  absl::StatusOr<base::Buffer> Take();

 private:
  absl::Status TooLarge() const;

  const size_t bytes_max_;
  const size_t first_block_bytes_;
  base::Buffer block_;
  size_t used_ = 0;
};

}  // namespace talosmq::record
