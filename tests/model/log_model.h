#pragma once

#include "support/checkers.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

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
  /// A new process has found a log that ends at `end`: not below what was durable, not above what
  /// was appended.
  absl::Status Recovered(Offset end);
  /// `records` are all records in [begin, begin + size).
  absl::Status CheckRead(Offset begin, const std::vector<support::ReadRecord>& records) const;
  /// The first offset below the durable end that is stamped at or after the time, else that end.
  Offset FindOffset(int64_t time_ms) const;

  Offset durable_end() const { return durable_end_; }
  Offset end() const { return Offset(static_cast<int64_t>(records_.size())); }

 private:
  std::vector<Record> records_;
  Offset durable_end_;
};

}  // namespace talosmq::storage
