#include "record/inflate_sink.h"

#include "base/check.h"
#include "base/text.h"
#include "record/fitted_buffer.h"
#include "talosmq/error.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace talosmq::record {
namespace {

constexpr size_t kFirstBlockBytesMin = 4096;
/// Text and JSON, which is what most topics hold, shrink to a quarter or less.
constexpr size_t kUsualRatio = 4;

}  // namespace

InflateSink::InflateSink(size_t compressed_bytes, int64_t bytes_max)
    : bytes_max_(static_cast<size_t>(bytes_max)),
      first_block_bytes_(std::max(kFirstBlockBytesMin, compressed_bytes * kUsualRatio)) {
  TALOSMQ_CHECK(bytes_max >= 0) << bytes_max;
}

absl::StatusOr<base::MutableByteSpan> InflateSink::Room(size_t bytes_min) {
  const size_t block_bytes_max = bytes_max_ + 1;
  if (bytes_min > block_bytes_max - used_) return TooLarge();
  if (bytes_min > block_.size() - used_) {
    const size_t wanted = std::max({used_ + bytes_min, 2 * block_.size(), first_block_bytes_});
    base::Buffer larger = base::Buffer::Allocate(std::min(wanted, block_bytes_max));
    if (used_ > 0) std::memcpy(larger.mutable_bytes().data(), block_.bytes().data(), used_);
    block_ = std::move(larger);
  }
  return block_.mutable_bytes().subspan(used_);
}

absl::StatusOr<base::Buffer> InflateSink::Take() {
  if (used_ > bytes_max_) return TooLarge();
  const base::Buffer block = std::exchange(block_, base::Buffer());
  return Fitted(block, std::exchange(used_, 0));
}

absl::Status InflateSink::TooLarge() const {
  return MakeError(Reason::kBatchTooLarge, base::StrCat("inflated records: expected at most ",
                                                        bytes_max_, " bytes, found more"));
}

}  // namespace talosmq::record
