#include "storage/segment_scanner.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/segment.h"

#include <algorithm>
#include <array>

namespace talosmq::storage {
namespace {

std::optional<Mismatch> CheckEnd(const record::BatchHeader& header, Offset limit) {
  if (header.end_offset() <= limit) return std::nullopt;
  return Mismatch{.position = record::kBaseOffsetPosition,
                  .expected = base::StrCat("offsets below ", limit.value()),
                  .found = base::StrCat("up to ", header.last_offset().value())};
}

}  // namespace

SegmentScanner::SegmentScanner(const io::File& file, const SegmentExtent& extent, BatchChain chain)
    : file_(file),
      end_(extent.end),
      limit_(extent.end_offset.value_or(extent.base + kSegmentOffsetsMax)),
      position_(extent.begin),
      chain_(chain) {}

absl::StatusOr<base::ByteSpan> SegmentScanner::Window(uint64_t position, size_t size) {
  const uint64_t available = position < end_ ? end_ - position : 0;
  size = static_cast<size_t>(std::min<uint64_t>(size, available));
  const bool is_held =
      position >= window_position_ && position + size <= window_position_ + window_.size();
  if (!is_held) {
    window_.resize(
        static_cast<size_t>(std::min<uint64_t>(std::max(size, kWindowBytes), available)));
    window_position_ = position;
    salvaged_ = SalvageRead(file_, position, window_);
    window_.resize(salvaged_.size);
    size = std::min(size, salvaged_.size);
  }
  return base::ByteSpan(window_).subspan(static_cast<size_t>(position - window_position_), size);
}

std::optional<Mismatch> SegmentScanner::CheckReadable(size_t size) const {
  const UnreadableBytes* const bytes = salvaged_.FindIn(position_, position_ + size);
  if (bytes == nullptr) return std::nullopt;
  return Mismatch{.position = std::max(position_, bytes->begin),
                  .expected = "a batch",
                  .found = bytes->error,
                  .is_unreadable = true};
}

absl::StatusOr<ScanStep> SegmentScanner::Next() {
  ScanStep step;
  if (position_ >= end_) return step;
  TALOSMQ_ASSIGN_OR_RETURN(base::ByteSpan bytes, Window(position_, record::kHeaderBytes));
  if (bytes.empty()) return step;
  step.mismatch = CheckReadable(bytes.size());
  const auto header = record::ParseHeader(bytes);
  if (!step.mismatch && header.ok()) {
    TALOSMQ_ASSIGN_OR_RETURN(bytes, Window(position_, header->size()));
    step.mismatch = CheckReadable(bytes.size());
  }
  if (step.mismatch) return step;
  ScannedBatch batch{.position = position_, .header = {}, .bytes = {}};
  step.mismatch = ParseWholeBatch(bytes, batch.header);
  if (!step.mismatch) {
    batch.bytes = bytes.first(batch.header.size());
    step.mismatch = CheckEnd(batch.header, limit_);
  }
  if (!step.mismatch) {
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

absl::StatusOr<bool> SegmentScanner::SkipDamage(const std::optional<SegmentPlace>& known) {
  TALOSMQ_ASSIGN_OR_RETURN(Search search, BeginSearch(known));
  for (uint64_t candidate = position_ + 1; candidate + record::kHeaderBytes <= search.end;
       ++candidate) {
    // Most bytes are told from a batch by one look at where its magic would be.
    TALOSMQ_ASSIGN_OR_RETURN(const base::ByteSpan bytes, Window(candidate, record::kHeaderBytes));
    if (bytes.size() < record::kHeaderBytes) break;
    if (bytes[record::kMagicPosition] != std::byte{record::kMagic}) continue;
    TALOSMQ_ASSIGN_OR_RETURN(const auto header, FindAt(candidate, search));
    if (!header) continue;
    MoveTo({.position = candidate, .offset = header->base_offset});
    return true;
  }
  if (!known) return false;
  MoveTo(*known);
  return true;
}

absl::StatusOr<SegmentScanner::Search> SegmentScanner::BeginSearch(
    const std::optional<SegmentPlace>& known) {
  Search search{.begin = position_, .end = end_, .limit = limit_, .front = std::nullopt};
  if (known) {
    search.is_end_known = known->position <= end_;
    search.end = std::min(end_, known->position);
    search.limit = std::min(limit_, known->offset);
  }
  TALOSMQ_ASSIGN_OR_RETURN(search.front, EndOfBroken());
  return search;
}

absl::StatusOr<std::optional<SegmentPlace>> SegmentScanner::EndOfBroken() {
  constexpr std::optional<SegmentPlace> kNothing;
  TALOSMQ_ASSIGN_OR_RETURN(const base::ByteSpan bytes, Window(position_, record::kHeaderBytes));
  const auto broken = record::ParseHeader(bytes);
  if (!broken.ok() || chain_.CheckHeader(*broken) || CheckEnd(*broken, limit_)) return kNothing;
  return SegmentPlace{.position = position_ + broken->size(), .offset = broken->end_offset()};
}

absl::StatusOr<std::optional<record::BatchHeader>> SegmentScanner::FindAt(uint64_t position,
                                                                          Search& search) {
  constexpr std::optional<record::BatchHeader> kNothing;
  TALOSMQ_ASSIGN_OR_RETURN(base::ByteSpan bytes, Window(position, record::kHeaderBytes));
  const auto header = record::ParseHeader(bytes);
  if (!header.ok() || !chain_.MayFollow(*header, position - search.begin) ||
      header->end_offset() > search.limit || header->size() > search.end - position) {
    return kNothing;
  }
  const bool is_front = search.front && search.front->position == position &&
                        search.front->offset == header->base_offset;
  if (!is_front) {
    TALOSMQ_ASSIGN_OR_RETURN(const bool is_followed, IsFollowed(position, *header, search));
    if (!is_followed) return kNothing;
    // Values may be full of headers: what is checked for them is bounded by what is passed.
    if (search.rechecked_bytes / kRecheckedPerByteMax > position - search.begin) return kNothing;
  }
  uint64_t rechecked = header->size();
  const bool is_held = position + header->size() <= window_position_ + window_.size();
  if (!is_held) rechecked += std::max<uint64_t>(header->size(), kWindowBytes);
  search.rechecked_bytes += rechecked;
  rechecked_bytes_ += rechecked;
  TALOSMQ_ASSIGN_OR_RETURN(bytes, Window(position, header->size()));
  if (bytes.size() != header->size() || !record::VerifyCrc(bytes).ok()) return kNothing;
  return *header;
}

absl::StatusOr<bool> SegmentScanner::IsFollowed(uint64_t position,
                                                const record::BatchHeader& header,
                                                const Search& search) {
  const uint64_t end = position + header.size();
  if (end == search.end) return !search.is_end_known || header.end_offset() == search.limit;
  // Not through the window, which would have to be read again for the next candidate.
  std::array<std::byte, record::kHeaderBytes> bytes;
  const SalvagedBytes read = SalvageRead(file_, end, bytes);
  const auto next = record::ParseHeader(base::ByteSpan(bytes).first(read.size));
  if (next.ok()) {
    BatchChain chain = chain_;
    chain.SkipTo(header.end_offset());
    return !chain.CheckHeader(*next) && next->epoch >= header.epoch &&
           next->end_offset() <= search.limit && next->size() <= search.end - end;
  }
  if (search.is_end_known) return false;
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t zeros_begin, ZerosBegin());
  return end >= zeros_begin;
}

absl::StatusOr<uint64_t> SegmentScanner::ZerosBegin() {
  if (zeros_begin_) return *zeros_begin_;
  std::vector<std::byte> piece;
  uint64_t begin = end_;
  while (begin > position_) {
    piece.resize(static_cast<size_t>(std::min<uint64_t>(begin - position_, kWindowBytes)));
    // What cannot be read would pass for zeros.
    if (!SalvageRead(file_, begin - piece.size(), piece).unreadable.empty()) break;
    const auto last = std::find_if(piece.rbegin(), piece.rend(),
                                   [](std::byte byte) { return byte != std::byte{}; });
    begin -= static_cast<uint64_t>(last - piece.rbegin());
    if (last != piece.rend()) break;
  }
  zeros_begin_ = begin;
  return begin;
}

absl::StatusOr<bool> SegmentScanner::IsZeroFromHere() {
  TALOSMQ_ASSIGN_OR_RETURN(const base::ByteSpan bytes, Window(position_, kWindowBytes));
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{}; });
}

}  // namespace talosmq::storage
