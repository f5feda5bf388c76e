#include "storage/segment_scanner.h"

#include "base/status.h"

#include <algorithm>

namespace talosmq::storage {

absl::StatusOr<base::ByteSpan> SegmentScanner::Window(uint64_t position, size_t size) {
  const uint64_t available = position < end_ ? end_ - position : 0;
  size = static_cast<size_t>(std::min<uint64_t>(size, available));
  const bool is_held =
      position >= window_position_ && position + size <= window_position_ + window_.size();
  if (!is_held) {
    window_.resize(
        static_cast<size_t>(std::min<uint64_t>(std::max(size, kWindowBytes), available)));
    window_position_ = position;
    TALOSMQ_ASSIGN_OR_RETURN(const size_t read, file_.Read(position, window_));
    window_.resize(read);
    size = std::min(size, read);
  }
  return base::ByteSpan(window_).subspan(static_cast<size_t>(position - window_position_), size);
}

absl::StatusOr<ScanStep> SegmentScanner::Next() {
  ScanStep step;
  if (position_ >= end_) return step;
  TALOSMQ_ASSIGN_OR_RETURN(base::ByteSpan bytes, Window(position_, record::kHeaderBytes));
  if (bytes.empty()) return step;
  const auto header = record::ParseHeader(bytes);
  if (header.ok()) {
    TALOSMQ_ASSIGN_OR_RETURN(bytes, Window(position_, header->size()));
  }
  ScannedBatch batch{.position = position_, .header = {}, .bytes = {}};
  step.mismatch = ParseWholeBatch(bytes, batch.header);
  if (!step.mismatch) {
    batch.bytes = bytes.first(batch.header.size());
    step.mismatch = chain_.Accept(batch.header, batch.bytes);
  }
  if (step.mismatch) {
    step.mismatch->position += position_;
    return step;
  }
  position_ += batch.bytes.size();
  step.batch = batch;
  return step;
}

absl::StatusOr<bool> SegmentScanner::IsBatchAt(uint64_t position) {
  TALOSMQ_ASSIGN_OR_RETURN(base::ByteSpan bytes, Window(position, record::kHeaderBytes));
  const auto header = record::ParseHeader(bytes);
  if (!header.ok() || header->base_offset <= chain_.next() || chain_.CheckCounts(*header) ||
      header->size() > end_ - position) {
    return false;
  }
  TALOSMQ_ASSIGN_OR_RETURN(bytes, Window(position, header->size()));
  return bytes.size() == header->size() && record::VerifyCrc(bytes).ok();
}

absl::StatusOr<bool> SegmentScanner::SkipDamage() {
  for (uint64_t candidate = position_ + 1; candidate + record::kHeaderBytes <= end_; ++candidate) {
    // Most bytes are told from a batch by one look at where its magic would be.
    TALOSMQ_ASSIGN_OR_RETURN(const base::ByteSpan bytes, Window(candidate, record::kHeaderBytes));
    if (bytes.size() < record::kHeaderBytes) return false;
    if (bytes[record::kMagicPosition] != std::byte{record::kMagic}) continue;
    TALOSMQ_ASSIGN_OR_RETURN(const bool is_batch, IsBatchAt(candidate));
    if (!is_batch) continue;
    TALOSMQ_ASSIGN_OR_RETURN(const base::ByteSpan found, Window(candidate, record::kHeaderBytes));
    TALOSMQ_ASSIGN_OR_RETURN(const auto header, record::ParseHeader(found));
    chain_.SkipTo(header.base_offset);
    position_ = candidate;
    return true;
  }
  return false;
}

absl::StatusOr<bool> SegmentScanner::IsZeroFromHere() {
  TALOSMQ_ASSIGN_OR_RETURN(const base::ByteSpan bytes, Window(position_, kWindowBytes));
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{}; });
}

}  // namespace talosmq::storage
