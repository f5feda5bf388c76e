#pragma once

#include "base/bytes.h"
#include "record/batch.h"
#include "storage/corruption.h"
#include "storage/partition_log.h"
#include "talosmq/ids.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace talosmq::storage {

/// Why bytes are not what has to stand there.
struct Mismatch {
  uint64_t position = 0;  ///< Within the bytes that were checked.
  std::string expected;
  std::string found;
  bool is_unreadable = false;  ///< The disk did not give the bytes; `found` is its error.
};

/// The same as damage of `file`, where the checked bytes begin at `position`.
Damage DamageAt(const std::string& file, uint64_t position, const Mismatch& mismatch);

/// Whether every offset of a segment is there.
enum class Density {
  kDense,
  kCompacted,  ///< Batches may lack records, and batches may be missing.
};

/// What the next batch of a log has to look like, from the batches before it. It holds what a
/// batch's CRC leaves out: base offset, epoch and magic.
///
/// Thread-compatible; the epoch history it was given outlives it.
class BatchChain {
 public:
  /// The next batch begins at `next`. An empty `history` asks of epochs only not to go down.
  BatchChain(Offset next, std::span<const EpochEntry> history, Density density)
      : next_(next), history_(history), density_(density) {}

  /// Checks a whole batch, header and CRC, and moves on behind it when it fits.
  std::optional<Mismatch> Accept(const record::BatchHeader& header, base::ByteSpan batch);
  /// All but the CRC; does not move.
  std::optional<Mismatch> CheckHeader(const record::BatchHeader& header) const;
  /// Whether a batch may stand so many bytes behind: all but the CRC, and of its offset that it
  /// lies above the next one and that these bytes can hold the offsets in between.
  bool MayFollow(const record::BatchHeader& header, uint64_t skipped_bytes) const;
  /// Goes on at `next` after a range that could not be read.
  void SkipTo(Offset next) { next_ = next; }

  Offset next() const { return next_; }

 private:
  std::optional<Mismatch> CheckCounts(const record::BatchHeader& header) const;
  std::optional<Mismatch> CheckEpoch(const record::BatchHeader& header) const;

  Offset next_;
  std::span<const EpochEntry> history_;
  Density density_;
  LeaderEpoch epoch_ = kNoEpoch;
};

/// The header of the batch that begins `bytes`, which hold all there is of it; a mismatch when
/// they are not a whole batch.
std::optional<Mismatch> ParseWholeBatch(base::ByteSpan bytes, record::BatchHeader& header);

}  // namespace talosmq::storage
