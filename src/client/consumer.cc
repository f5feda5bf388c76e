#include "talosmq/consumer.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "client/fetch_core.h"
#include "client/fetched_queue.h"
#include "client/offset_lookup.h"
#include "client/option_checks.h"
#include "client/pending_result.h"
#include "client/polled_partition.h"
#include "client/topic_lookup.h"
#include "talosmq/error.h"

#include <map>
#include <utility>

namespace talosmq {
namespace {

/// Poll goes on taking chunks until it has about so much: decoding more at once would only push
/// what the application is about to read out of the caches.
constexpr int64_t kPollBytes = int64_t{1} << 20;

/// The blocking face of a FetchCore. Positions belong to the polling thread; the core is told of
/// them by posted wishes. Thread-compatible. The destructor waits until the core is closed.
class BlockingConsumer final : public Consumer {
 public:
  BlockingConsumer(client::ClientCore& client, const ConsumerOptions& options,
                   client::TopicImagePtr topic)
      : client_(client),
        options_(options),
        topic_(std::move(topic)),
        core_(std::make_shared<client::FetchCore>(client, options, topic_, queue_)) {
    client_.executor().Post([core = core_] { core->Start(); });
  }

  ~BlockingConsumer() override {
    TALOSMQ_CHECK(!client_.executor().IsCurrent()) << "a consumer destroyed by a callback";
    client::PendingResult<bool> closed;
    client_.executor().Post([core = std::move(core_), done = closed.callback()]() mutable {
      core->Close();
      done(true);
    });
    closed.Wait();
  }

  int32_t partition_count() const override { return core_->partition_count(); }

  absl::Status Assign(const std::vector<PartitionId>& partitions, Position from) override {
    std::vector<client::OffsetQuestion> questions;
    for (const PartitionId partition : partitions) {
      TALOSMQ_RETURN_IF_ERROR(CheckPartition(partition));
      questions.push_back({.partition = partition, .position = from});
    }
    TALOSMQ_ASSIGN_OR_RETURN(const std::vector<Offset> offsets, Resolve(std::move(questions)));
    assigned_.clear();
    std::vector<client::PartitionWish> wishes;
    for (size_t i = 0; i < partitions.size(); ++i) {
      wishes.push_back(WishFor(partitions[i], assigned_[partitions[i]], offsets[i]));
    }
    client_.executor().Post([core = core_, wishes = std::move(wishes)] { core->Assign(wishes); });
    return absl::OkStatus();
  }

  absl::Status Add(PartitionId partition, Position from) override {
    if (assigned_.contains(partition)) {
      return MakeError(
          Reason::kInvalidArgument,
          base::StrCat("expected a partition that is not assigned, found ", partition.value()));
    }
    TALOSMQ_ASSIGN_OR_RETURN(const Offset offset, FindOffset(partition, from));
    PostSeek(partition, assigned_[partition], offset);
    return absl::OkStatus();
  }

  absl::Status Remove(PartitionId partition) override {
    TALOSMQ_RETURN_IF_ERROR(FindAssigned(partition).status());
    assigned_.erase(partition);
    client_.executor().Post([core = core_, partition] { core->Remove(partition); });
    return absl::OkStatus();
  }

  absl::Status Seek(PartitionId partition, Position to) override {
    TALOSMQ_ASSIGN_OR_RETURN(Assigned* const assigned, FindAssigned(partition));
    TALOSMQ_ASSIGN_OR_RETURN(const Offset offset, FindOffset(partition, to));
    assigned->has_stopped = false;
    if (assigned->is_paused) {
      assigned->position = offset;
    } else {
      PostSeek(partition, *assigned, offset);
    }
    return absl::OkStatus();
  }

  absl::Status Pause(PartitionId partition) override {
    TALOSMQ_ASSIGN_OR_RETURN(Assigned* const assigned, FindAssigned(partition));
    if (std::exchange(assigned->is_paused, true)) return absl::OkStatus();
    client_.executor().Post([core = core_, partition, generation = assigned->generation] {
      core->Halt(partition, generation);
    });
    assigned->generation = ++last_generation_;
    return absl::OkStatus();
  }

  absl::Status Resume(PartitionId partition) override {
    TALOSMQ_ASSIGN_OR_RETURN(Assigned* const assigned, FindAssigned(partition));
    if (!std::exchange(assigned->is_paused, false) || assigned->has_stopped) {
      return absl::OkStatus();
    }
    PostSeek(partition, *assigned, assigned->position);
    return absl::OkStatus();
  }

  absl::StatusOr<PolledRecords> Poll(absl::Duration wait) override {
    if (!pending_error_.ok()) return std::exchange(pending_error_, absl::OkStatus());
    PolledRecords polled;
    const absl::Duration deadline = client_.clock().Monotonic() + wait;
    std::map<PartitionId, int64_t> credit;
    int64_t bytes = 0;
    while (bytes < kPollBytes && pending_error_.ok()) {
      const absl::Duration left =
          polled.empty() ? deadline - client_.clock().Monotonic() : absl::ZeroDuration();
      const std::optional<client::FetchedChunk> chunk = queue_->Take(left);
      if (!chunk.has_value()) {
        if (left <= absl::ZeroDuration()) break;
        continue;
      }
      const auto size = static_cast<int64_t>(chunk->records.size());
      credit[chunk->partition] += size;
      bytes += size;
      Take(*chunk, polled);
    }
    ReturnCredit(std::move(credit));
    if (polled.empty() && !pending_error_.ok()) {
      return std::exchange(pending_error_, absl::OkStatus());
    }
    return polled;
  }

  std::vector<PartitionPosition> positions() const override {
    std::vector<PartitionPosition> positions;
    for (const auto& [id, assigned] : assigned_) {
      positions.push_back({.partition = id,
                           .position = assigned.position,
                           .high_watermark = assigned.high_watermark});
    }
    return positions;
  }

  int64_t skipped_records() const override { return skipped_records_; }

  absl::StatusOr<Offset> FindOffset(PartitionId partition, Position position) override {
    TALOSMQ_RETURN_IF_ERROR(CheckPartition(partition));
    TALOSMQ_ASSIGN_OR_RETURN(const std::vector<Offset> offsets,
                             Resolve({{.partition = partition, .position = position}}));
    return offsets.front();
  }

 private:
  using Assigned = client::PolledPartition;

  absl::StatusOr<Assigned*> FindAssigned(PartitionId partition) {
    const auto entry = assigned_.find(partition);
    if (entry != assigned_.end()) return &entry->second;
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("topic ", topic_->name,
                                  ": expected an assigned partition, found ", partition.value()));
  }

  absl::Status CheckPartition(PartitionId partition) const {
    if (partition.value() >= 0 && partition.value() < partition_count()) return absl::OkStatus();
    return MakeError(Reason::kUnknownPartition,
                     base::StrCat("topic ", topic_->name, ": expected a partition from 0 to ",
                                  partition_count() - 1, ", found ", partition.value()));
  }

  absl::StatusOr<std::vector<Offset>> Resolve(std::vector<client::OffsetQuestion> questions) {
    client::PendingResult<absl::StatusOr<std::vector<Offset>>> found;
    client::FindOffsets(client_, topic_->id, std::move(questions), found.callback());
    absl::StatusOr<std::vector<Offset>> offsets = found.Wait();
    if (!offsets.ok()) return base::Annotate(offsets.status(), "topic " + topic_->name);
    return offsets;
  }

  client::PartitionWish WishFor(PartitionId partition, Assigned& assigned, Offset offset) {
    assigned.generation = ++last_generation_;
    assigned.position = offset;
    return {.partition = partition, .offset = offset, .generation = assigned.generation};
  }

  void PostSeek(PartitionId partition, Assigned& assigned, Offset offset) {
    client_.executor().Post(
        [core = core_, wish = WishFor(partition, assigned, offset)] { core->Seek(wish); });
  }

  void Take(const client::FetchedChunk& chunk, PolledRecords& polled) {
    const auto entry = assigned_.find(chunk.partition);
    if (entry == assigned_.end()) return;
    client::TakenChunk taken =
        client::TakeChunk(chunk, *topic_, options_, client_.metrics(), entry->second);
    skipped_records_ += taken.skipped_records;
    for (const SkippedOffsets& skipped : taken.skipped) {
      if (options_.on_skipped) options_.on_skipped(skipped);
    }
    for (RecordBatchView& batch : taken.batches) polled.batches.push_back(std::move(batch));
    if (!taken.status.ok()) pending_error_ = taken.status;
    if (!taken.must_halt) return;
    client_.executor().Post([core = core_, partition = chunk.partition,
                             generation = chunk.generation] { core->Halt(partition, generation); });
  }

  void ReturnCredit(std::map<PartitionId, int64_t> credit) {
    if (credit.empty()) return;
    client_.executor().Post([core = core_, credit = std::move(credit)] {
      for (const auto& [partition, bytes] : credit) core->ReturnCredit(partition, bytes);
    });
  }

  client::ClientCore& client_;
  const ConsumerOptions options_;
  const client::TopicImagePtr topic_;  ///< For its name and id.
  const std::shared_ptr<client::FetchedQueue> queue_ = std::make_shared<client::FetchedQueue>();
  std::shared_ptr<client::FetchCore> core_;
  std::map<PartitionId, Assigned> assigned_;
  uint64_t last_generation_ = 0;
  int64_t skipped_records_ = 0;
  absl::Status pending_error_;  ///< To be told by the next Poll.
};

}  // namespace

absl::StatusOr<std::unique_ptr<Consumer>> Consumer::Create(Client& client, std::string topic,
                                                           ConsumerOptions options) {
  TALOSMQ_RETURN_IF_ERROR(client::CheckOptions(options));
  TALOSMQ_ASSIGN_OR_RETURN(client::TopicImagePtr image,
                           client::FindTopic(client.core(), std::move(topic)));
  return std::make_unique<BlockingConsumer>(client.core(), options, std::move(image));
}

}  // namespace talosmq
