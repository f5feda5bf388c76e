#pragma once

#include "base/mutex.h"
#include "talosmq/client.h"
#include "talosmq/ids.h"
#include "talosmq/producer.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace talosmq::kill9 {

/// What was sent, and what the server said of it. A record's number is its tag and stands in front
/// of its value. Thread-safe: the producer's thread writes, the test reads.
class RecordLedger {
 public:
  /// Values of 100 to 1,500 bytes that follow from the seed.
  RecordLedger(int64_t records, uint64_t seed);

  int64_t records() const { return static_cast<int64_t>(values_.size()); }
  const std::string& ValueOf(int64_t record) const { return values_[static_cast<size_t>(record)]; }

  void Take(std::span<const Delivery> batch);
  /// Blocks until so many records have been answered, well or not.
  void WaitForAnswers(int64_t count);

  struct Answers {
    int64_t acknowledged = 0;
    int64_t failed = 0;
    std::string first_failure;
    std::map<std::pair<PartitionId, Offset>, int64_t> by_place;  ///< Only acknowledged ones.
  };
  Answers answers() const;

 private:
  std::vector<std::string> values_;

  mutable base::Mutex mutex_;
  base::CondVar answered_;
  Answers answers_ ABSL_GUARDED_BY(mutex_);
};

/// The number in front of a value; nothing when it is none of ours.
std::optional<int64_t> RecordNumberOf(std::string_view value);

}  // namespace talosmq::kill9
