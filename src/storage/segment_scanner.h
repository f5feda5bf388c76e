#pragma once

#include "base/bytes.h"
#include "io/file_system.h"
#include "record/batch.h"
#include "storage/batch_chain.h"

#include "absl/status/statusor.h"

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

/// Reads the batches of a segment one after another and verifies each: header, chain and CRC.
/// Reads ahead by kWindowBytes; a batch larger than that is read whole, never beyond the end.
/// Thread-compatible. Borrows the file.
class SegmentScanner {
 public:
  static constexpr size_t kWindowBytes = size_t{1} << 20;

  /// Of the bytes [position, end) of `file`.
  SegmentScanner(const io::File& file, uint64_t position, uint64_t end, BatchChain chain)
      : file_(file), position_(position), end_(end), chain_(chain) {}

  /// The next batch, and moves behind it. At a mismatch it stays.
  absl::StatusOr<ScanStep> Next();

  /// After a mismatch: moves to the next position that holds a whole batch with a right CRC and an
  /// offset above the expected one. False when there is none; then nothing has moved. Whether the
  /// bytes in between were ever one batch or many cannot be told.
  absl::StatusOr<bool> SkipDamage();

  /// True when the bytes from here on, as far as one window shows, are zeros: allocated ahead and
  /// never written.
  absl::StatusOr<bool> IsZeroFromHere();

  /// Goes on at a place that is known to begin a batch, or to be the end.
  void MoveTo(uint64_t position, Offset next) {
    position_ = position;
    chain_.SkipTo(next);
  }

  uint64_t position() const { return position_; }
  const BatchChain& chain() const { return chain_; }

 private:
  /// The bytes [position, position + size) or fewer when the file ends before.
  absl::StatusOr<base::ByteSpan> Window(uint64_t position, size_t size);
  absl::StatusOr<bool> IsBatchAt(uint64_t position);

  const io::File& file_;
  uint64_t position_;
  const uint64_t end_;
  BatchChain chain_;
  std::vector<std::byte> window_;
  uint64_t window_position_ = 0;
};

}  // namespace talosmq::storage
