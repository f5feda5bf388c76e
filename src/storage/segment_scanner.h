#pragma once

#include "base/bytes.h"
#include "io/file_system.h"
#include "record/batch.h"
#include "storage/batch_chain.h"
#include "storage/salvage_read.h"

#include "absl/status/statusor.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace talosmq::storage {

/// A batch as it stands in a segment.
struct ScannedBatch {
  uint64_t position = 0;
  record::BatchHeader header;
  base::ByteSpan bytes;  ///< Until the next call on the scanner.
};

/// What stands at the scanner's position: a batch that fits, a mismatch, or, with neither, the end.
struct ScanStep {
  std::optional<ScannedBatch> batch;
  std::optional<Mismatch> mismatch;  ///< Position within the file.
};

/// A place in a segment where a batch is known to begin, or the batches to end.
struct SegmentPlace {
  uint64_t position = 0;
  Offset offset;
};

/// The part of a segment that is read, and what is known of its end.
struct SegmentExtent {
  Offset base;
  std::optional<Offset> end_offset;  ///< Where the next segment begins; nothing for the last one.
  uint64_t begin = 0;                ///< Bytes [begin, end) of the file.
  uint64_t end = 0;
};

/// Reads the batches of a segment one after another and verifies each: header, chain, the segment's
/// offsets and CRC. What the disk does not give is a mismatch, too. Reads ahead by kWindowBytes; a
/// batch larger than that is read whole, never beyond the end. Thread-compatible. Borrows the file.
class SegmentScanner {
 public:
  static constexpr size_t kWindowBytes = size_t{1} << 20;
  /// A search behind damage reads and checks again at most so many bytes for each that it passes,
  /// and one batch more.
  static constexpr uint64_t kRecheckedPerByteMax = 8;
  static constexpr uint64_t RecheckedBytesMax(uint64_t passed_bytes, uint64_t batch_bytes_max) {
    const uint64_t batch = batch_bytes_max + std::max<uint64_t>(batch_bytes_max, kWindowBytes);
    return kRecheckedPerByteMax * (passed_bytes + 1) + 2 * batch;
  }

  SegmentScanner(const io::File& file, const SegmentExtent& extent, BatchChain chain);

  /// The next batch, and moves behind it. At a mismatch it stays.
  absl::StatusOr<ScanStep> Next();

  /// After a mismatch: moves behind the damage, to the next batch that stands where it does for
  /// certain, or, when there is none before it, to the place that is known to follow. False when
  /// there is neither; then nothing has moved. Whether the bytes in between were ever one batch or
  /// many cannot be told.
  ///
  /// Values may hold whole batches. So one that is found by its bytes alone must have an offset
  /// that the bytes before it leave room for, end within the segment and before what is known, and
  /// be tied to a neighbour: the header of the broken batch ends where it begins, or behind it
  /// stands a header that follows, or the end.
  absl::StatusOr<bool> SkipDamage(const std::optional<SegmentPlace>& known = std::nullopt);

  /// After a mismatch: where the broken batch ends by its own header; nothing when that does not
  /// fit either.
  absl::StatusOr<std::optional<SegmentPlace>> EndOfBroken();

  /// True when the bytes from here on, as far as one window shows, are zeros: allocated ahead and
  /// never written.
  absl::StatusOr<bool> IsZeroFromHere();

  /// Goes on at a place that is known to begin a batch, or to be the end.
  void MoveTo(const SegmentPlace& place) {
    position_ = place.position;
    chain_.SkipTo(place.offset);
  }

  uint64_t position() const { return position_; }
  const BatchChain& chain() const { return chain_; }
  /// No batch of the segment ends above.
  Offset limit() const { return limit_; }
  /// What all searches behind damage have read and checked again.
  uint64_t rechecked_bytes() const { return rechecked_bytes_; }

 private:
  /// A search behind damage: where batches may stand.
  struct Search {
    uint64_t begin = 0;  ///< Of the damage.
    uint64_t end = 0;
    Offset limit;
    bool is_end_known = false;          ///< The batches end at both of them.
    std::optional<SegmentPlace> front;  ///< Where the broken batch ends by its own header.
    uint64_t rechecked_bytes = 0;
  };

  /// The bytes [position, position + size) or fewer when the file ends before; zeros for what
  /// cannot be read.
  absl::StatusOr<base::ByteSpan> Window(uint64_t position, size_t size);
  /// A mismatch when some of the bytes from the scanner's position on, in the window, were not
  /// read.
  std::optional<Mismatch> CheckReadable(size_t size) const;
  absl::StatusOr<Search> BeginSearch(const std::optional<SegmentPlace>& known);
  /// The header of the batch at `position` if it stands there for certain.
  absl::StatusOr<std::optional<record::BatchHeader>> FindAt(uint64_t position, Search& search);
  absl::StatusOr<bool> IsFollowed(uint64_t position, const record::BatchHeader& header,
                                  const Search& search);
  /// From where on the file holds only zeros.
  absl::StatusOr<uint64_t> ZerosBegin();

  const io::File& file_;
  const uint64_t end_;
  const Offset limit_;
  uint64_t position_;
  BatchChain chain_;
  std::vector<std::byte> window_;
  uint64_t window_position_ = 0;
  SalvagedBytes salvaged_;  ///< Of the window.
  std::optional<uint64_t> zeros_begin_;
  uint64_t rechecked_bytes_ = 0;
};

}  // namespace talosmq::storage
