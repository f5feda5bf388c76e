#pragma once

#include "cli/interrupt.h"
#include "cli/read_plan.h"
#include "talosmq/consumer.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace talosmq::cli {

/// Reads what a plan says, record by record, and keeps what to read next. Thread-compatible.
/// Borrows the consumer, which outlives it.
class TopicReading {
 public:
  enum class End {
    kStops,        ///< Every partition has reached its stop.
    kCount,        ///< As many records as were asked for.
    kInterrupted,  ///< Ctrl-C.
  };

  /// Told about each record; an error ends the reading.
  using OnRecord = std::function<absl::Status(PartitionId, const ConsumedRecord&)>;
  /// Called when nothing more is at hand for the moment.
  using OnPause = std::function<absl::Status()>;

  TopicReading(Consumer& consumer, const ReadPlan& plan);

  /// Puts the consumer where the plan begins.
  absl::Status Begin();
  /// Reads until an end is reached, at most `count` records when it is given.
  absl::StatusOr<End> Run(std::optional<int64_t> count, const Interrupt& interrupt,
                          const OnRecord& on_record, const OnPause& on_pause);

  int64_t records() const { return records_; }
  int64_t bytes() const { return bytes_; }
  /// Of each partition: the offset to go on with.
  const std::map<PartitionId, Offset>& next_offsets() const { return next_; }

 private:
  bool IsDone() const;
  absl::Status Take(const RecordBatchView& batch, std::optional<int64_t> count,
                    const Interrupt& interrupt, const OnRecord& on_record);
  void SkipGaps();

  Consumer& consumer_;
  const ReadPlan& plan_;
  std::map<PartitionId, Offset> next_;
  std::map<PartitionId, Offset> stops_;  ///< Only of partitions that have one.
  int64_t records_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace talosmq::cli
