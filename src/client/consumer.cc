#include "talosmq/consumer.h"

#include "base/status.h"
#include "base/text.h"
#include "client/chunk_decoder.h"
#include "client/fetch_core.h"
#include "client/offset_lookup.h"
#include "client/option_checks.h"
#include "client/pending_result.h"
#include "client/retry.h"
#include "talosmq/error.h"

#include <map>
#include <utility>

namespace talosmq {
namespace {

/// Poll goes on taking chunks until it has about so much: decoding more at once would only push
/// what the application is about to read out of the caches.
constexpr int64_t kPollBytes = int64_t{1} << 20;

/// The blocking face of a FetchCore. Positions belong to the polling thread; the core is told of
/// them by posted wishes. Thread-compatible. The core is given back to the executor, where its last
/// callbacks run.
class BlockingConsumer final : public Consumer {
 public:
  BlockingConsumer(client::ClientCore& client, const ConsumerOptions& options,
                   client::TopicImagePtr topic)
      : client_(client),
        options_(options),
        topic_(std::move(topic)),
        core_(std::make_shared<client::FetchCore>(client, options, topic_)) {}

  ~BlockingConsumer() override {
    client_.executor().Post([core = std::move(core_)] { core->Close(); });
  }

  int32_t partition_count() const override {
    return static_cast<int32_t>(topic_->partitions.size());
  }

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
      wishes.push_back(NewWish(partitions[i], offsets[i]));
    }
    client_.executor().Post([core = core_, wishes = std::move(wishes)] { core->Assign(wishes); });
    return absl::OkStatus();
  }

  absl::Status Seek(PartitionId partition, Position to) override {
    if (!assigned_.contains(partition)) {
      return MakeError(
          Reason::kInvalidArgument,
          base::StrCat("seek: expected an assigned partition, found ", partition.value()));
    }
    TALOSMQ_ASSIGN_OR_RETURN(const Offset offset, FindOffset(partition, to));
    client_.executor().Post(
        [core = core_, wish = NewWish(partition, offset)] { core->Seek(wish); });
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
      const std::optional<client::FetchedChunk> chunk = core_->queue().Take(left);
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
  struct Assigned {
    uint64_t generation = 0;
    Offset position;
    Offset high_watermark;
    bool has_stopped = false;  ///< By an error, until the next seek.
  };

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

  client::PartitionWish NewWish(PartitionId partition, Offset offset) {
    assigned_[partition] = {
        .generation = ++last_generation_, .position = offset, .high_watermark = Offset(0)};
    return {.partition = partition, .offset = offset, .generation = last_generation_};
  }

  void Take(const client::FetchedChunk& chunk, PolledRecords& polled) {
    const auto entry = assigned_.find(chunk.partition);
    if (entry == assigned_.end() || entry->second.generation != chunk.generation) return;
    Assigned& assigned = entry->second;
    if (assigned.has_stopped) return;
    if (!chunk.status.ok()) {
      assigned.has_stopped = true;
      pending_error_ = chunk.status;
      return;
    }
    if (chunk.moved_to.has_value()) {
      assigned.position = *chunk.moved_to;
      return;
    }
    assigned.high_watermark = chunk.high_watermark;
    client::DecodedChunk decoded =
        client::DecodeChunk(topic_->id, chunk, assigned.position, options_.on_corrupt);
    assigned.position = decoded.position;
    skipped_records_ += decoded.skipped_records;
    for (RecordBatchView& batch : decoded.batches) polled.batches.push_back(std::move(batch));
    if (!decoded.status.ok()) {
      assigned.has_stopped = true;
      pending_error_ = base::Annotate(decoded.status, "topic " + topic_->name);
      client_.executor().Post(
          [core = core_, partition = chunk.partition, generation = chunk.generation] {
            core->Halt(partition, generation);
          });
    }
  }

  void ReturnCredit(std::map<PartitionId, int64_t> credit) {
    if (credit.empty()) return;
    client_.executor().Post([core = core_, credit = std::move(credit)] {
      for (const auto& [partition, bytes] : credit) core->ReturnCredit(partition, bytes);
    });
  }

  client::ClientCore& client_;
  const ConsumerOptions options_;
  const client::TopicImagePtr topic_;
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
  client::ClientCore& core = client.core();
  client::PendingResult<absl::StatusOr<client::TopicImagePtr>> found;
  core.executor().Post([&core, topic = std::move(topic), done = found.callback()]() mutable {
    client::Retry<client::TopicImagePtr>::Start(
        core,
        [&core, topic = std::move(topic)](client::MetadataCache::Done answer) {
          core.metadata().FindByName(topic, std::move(answer));
        },
        std::move(done));
  });
  TALOSMQ_ASSIGN_OR_RETURN(client::TopicImagePtr image, found.Wait());
  return std::make_unique<BlockingConsumer>(core, options, std::move(image));
}

}  // namespace talosmq
