#pragma once

#include "support/checkers.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::storage {

/// What one log must hold, as a list of values: the simple thing that the real one is compared
/// with. Thread-compatible.
class LogModel {
 public:
  struct Record {
    std::string value;
    int64_t timestamp_ms = 0;
  };

  /// Records were given these offsets.
  absl::Status Appended(Offset base, const std::vector<Record>& records);
  /// Everything below `end` was acknowledged or read.
  absl::Status Durable(Offset end);
  /// A new process has found a log of [start, end): it does not end below what was durable, nor
  /// above what was appended, and starts where it was moved to last, or was to be moved since.
  absl::Status Recovered(Offset start, Offset end);
  /// The start is about to be moved to `start`.
  void Trimming(Offset start) { start_max_ = std::max(start_max_, start); }
  /// That was acknowledged.
  void Trimmed(Offset start) { start_ = std::max(start_, start); }
  /// `records` are all records in [begin, begin + size).
  absl::Status CheckRead(Offset begin, const std::vector<support::ReadRecord>& records) const;
  /// The first offset from the start to the durable end that is stamped at or after the time, else
  /// that end.
  Offset FindOffset(int64_t time_ms) const;

  Offset start() const { return start_; }
  Offset durable_end() const { return durable_end_; }
  Offset end() const { return Offset(static_cast<int64_t>(records_.size())); }

 private:
  std::vector<Record> records_;
  Offset start_;
  Offset start_max_;  ///< Where a move that was not acknowledged may bring it, now or later.
  Offset durable_end_;
};

}  // namespace talosmq::storage
