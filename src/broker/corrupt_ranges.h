#pragma once

#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace talosmq::broker {

/// What of one partition is known to be damaged: found when its log was opened, or met by a read.
///
/// Invariant: the ranges ascend and do not overlap. At most kRangesMax are kept; of more, those
/// that were met last are not, and come in when they are met again and there is room.
/// Thread-compatible. A value. Nothing survives a crash: it is found again.
class CorruptRanges {
 public:
  static constexpr size_t kRangesMax = 100;

  struct Known {
    CorruptRange range;
    std::string what;  ///< File, position, expected, found, offsets.
  };

  /// Takes in a kCorruptData error that names offsets; any other is left out.
  void Note(const absl::Status& damage);
  void Clear() { known_.clear(); }

  const std::vector<Known>& known() const { return known_; }
  /// The last one that begins below `offset`; null when there is none.
  const Known* LastBelow(Offset offset) const;
  /// Those that lie above `log_start` and are not in one of `skipped`.
  std::vector<Known> Open(Offset log_start, std::span<const CorruptRange> skipped) const;

 private:
  std::vector<Known> known_;
};

// Ranges that readers pass over ascend, and none touches another.

/// Example: {[2, 4), [8, 9)} with [4, 6) is {[2, 6), [8, 9)}.
void AddSkipped(std::vector<CorruptRange>& skipped, CorruptRange range);
/// Where a reader that has come to `offset` goes on.
Offset PassSkipped(std::span<const CorruptRange> skipped, Offset offset);

}  // namespace talosmq::broker
