#include "cli/topic_reading.h"

#include "base/status.h"

#include <algorithm>
#include <vector>

namespace talosmq::cli {
namespace {

/// How soon Ctrl-C is noticed while nothing comes.
constexpr absl::Duration kPollWait = absl::Milliseconds(100);

int64_t SizeOf(const ConsumedRecord& record) {
  return static_cast<int64_t>(record.key.value_or(std::string_view()).size() +
                              record.value.value_or(std::string_view()).size());
}

}  // namespace

TopicReading::TopicReading(Consumer& consumer, const ReadPlan& plan)
    : consumer_(consumer), plan_(plan) {
  for (const PartitionPlan& partition : plan.partitions) {
    next_[partition.partition] = partition.begin;
    if (partition.stop.has_value()) stops_[partition.partition] = *partition.stop;
  }
}

absl::Status TopicReading::Begin() {
  // Partitions with nothing to read are left out, so that nothing is fetched for them.
  std::vector<PartitionPlan> wanted;
  for (const PartitionPlan& plan : plan_.partitions) {
    if (!plan.stop.has_value() || plan.begin < *plan.stop) wanted.push_back(plan);
  }
  if (wanted.empty()) return absl::OkStatus();
  std::vector<PartitionId> partitions;
  for (const PartitionPlan& plan : wanted) partitions.push_back(plan.partition);
  // The end is a place that every log has and where nothing is fetched before the seek.
  TALOSMQ_RETURN_IF_ERROR(consumer_.Assign(partitions, AtEnd{}));
  for (const PartitionPlan& plan : wanted) {
    TALOSMQ_RETURN_IF_ERROR(consumer_.Seek(plan.partition, plan.begin));
  }
  return absl::OkStatus();
}

absl::StatusOr<TopicReading::End> TopicReading::Run(std::optional<int64_t> count,
                                                    const Interrupt& interrupt,
                                                    const OnRecord& on_record,
                                                    const OnPause& on_pause) {
  while (true) {
    if (interrupt.IsRaised()) return End::kInterrupted;
    if (count.has_value() && records_ >= *count) return End::kCount;
    if (IsDone()) return End::kStops;
    TALOSMQ_ASSIGN_OR_RETURN(const PolledRecords polled, consumer_.Poll(kPollWait));
    for (const RecordBatchView& batch : polled.batches) {
      TALOSMQ_RETURN_IF_ERROR(Take(batch, count, interrupt, on_record));
    }
    const bool has_taken_all = !interrupt.IsRaised() && (!count.has_value() || records_ < *count);
    if (has_taken_all) SkipGaps();
    TALOSMQ_RETURN_IF_ERROR(on_pause());
  }
}

bool TopicReading::IsDone() const {
  return std::all_of(next_.begin(), next_.end(), [this](const auto& next) {
    const auto stop = stops_.find(next.first);
    return stop != stops_.end() && next.second >= stop->second;
  });
}

absl::Status TopicReading::Take(const RecordBatchView& batch, std::optional<int64_t> count,
                                const Interrupt& interrupt, const OnRecord& on_record) {
  const auto stop = stops_.find(batch.partition());
  Offset& next = next_[batch.partition()];
  for (const ConsumedRecord& record : batch.records()) {
    const bool is_enough = count.has_value() && records_ >= *count;
    if (is_enough || interrupt.IsRaised()) return absl::OkStatus();
    if (stop != stops_.end() && record.offset >= stop->second) {
      next = std::max(next, stop->second);
      return absl::OkStatus();
    }
    TALOSMQ_RETURN_IF_ERROR(on_record(batch.partition(), record));
    next = record.offset + 1;
    ++records_;
    bytes_ += SizeOf(record);
  }
  return absl::OkStatus();
}

/// Everything polled has been taken, so the consumer's positions hold: they pass over offsets that
/// carry no record (skipped or compacted ones), where next_ would wait for ever.
void TopicReading::SkipGaps() {
  for (const PartitionPosition& position : consumer_.positions()) {
    const auto next = next_.find(position.partition);
    if (next == next_.end()) continue;
    const auto stop = stops_.find(position.partition);
    const Offset reached =
        stop == stops_.end() ? position.position : std::min(position.position, stop->second);
    next->second = std::max(next->second, reached);
  }
}

}  // namespace talosmq::cli
