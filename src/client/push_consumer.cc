#include "talosmq/push_consumer.h"

#include "base/check.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "client/offset_lookup.h"
#include "client/option_checks.h"
#include "client/pending_result.h"
#include "client/push_core.h"
#include "client/topic_lookup.h"
#include "talosmq/error.h"

#include <map>
#include <utility>

namespace talosmq {
namespace {

using client::PushLane;

/// Owns the lanes: it alone stops them, on the thread that asks for it. Thread-safe.
class LanePushConsumer final : public PushConsumer {
 public:
  LanePushConsumer(client::ClientCore& client, PushConsumerOptions options,
                   client::TopicImagePtr topic)
      : client_(client),
        options_(std::move(options)),
        topic_(std::move(topic)),
        core_(
            client::PushCore::Create(client, options_.consumer, options_.partition_bytes, topic_)) {
    client_.executor().Post([core = core_] { core->Start(); });
  }

  ~LanePushConsumer() override {
    TALOSMQ_CHECK(!client_.executor().IsCurrent()) << "a consumer destroyed by a callback";
    Stop();
    client::PendingResult<bool> closed;
    client_.executor().Post([core = std::move(core_), done = closed.callback()]() mutable {
      core->Close();
      done(true);
    });
    closed.Wait();
  }

  int32_t partition_count() const override { return core_->partition_count(); }

  absl::Status Add(PartitionId partition, Position from) override {
    TALOSMQ_RETURN_IF_ERROR(Reserve(partition));
    const absl::StatusOr<Offset> offset = FindOffset(partition, from);
    if (!offset.ok()) {
      GiveUp(partition);
      return offset.status();
    }
    std::unique_ptr<Processor> processor = options_.new_processor(partition);
    if (processor == nullptr) {
      GiveUp(partition);
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("new_processor: expected a processor for partition ",
                                    partition.value(), ", found none"));
    }
    const std::shared_ptr<PushLane> lane = MakeLane(partition, *offset, std::move(processor));
    client_.executor().Post([core = core_, partition, from_offset = *offset, lane] {
      core->Add(partition, from_offset, lane);
    });
    if (Keep(partition, lane)) return absl::OkStatus();
    End({{partition, lane}});
    return Closed();
  }

  absl::Status Remove(PartitionId partition) override {
    std::shared_ptr<PushLane> lane;
    {
      const base::MutexLock lock(mutex_);
      const auto entry = lanes_.find(partition);
      if (entry != lanes_.end()) lane = std::move(entry->second);
    }
    if (lane == nullptr) {
      return MakeError(
          Reason::kInvalidArgument,
          base::StrCat("topic ", topic_->name, ": expected a partition that was added, found ",
                       partition.value()));
    }
    End({{partition, std::move(lane)}});
    return absl::OkStatus();
  }

  void Stop() override {
    Lanes lanes;
    {
      const base::MutexLock lock(mutex_);
      is_stopped_ = true;
      for (auto& [partition, lane] : lanes_) {
        if (lane != nullptr) lanes[partition] = std::move(lane);
      }
    }
    End(lanes);
  }

  std::vector<PartitionPosition> positions() const override {
    std::vector<PartitionPosition> positions;
    const base::MutexLock lock(mutex_);
    for (const auto& [partition, lane] : lanes_) {
      if (lane != nullptr) positions.push_back(lane->position());
    }
    return positions;
  }

 private:
  using Lanes = std::map<PartitionId, std::shared_ptr<PushLane>>;

  absl::Status Closed() const {
    return MakeError(Reason::kClosed,
                     base::StrCat("the push consumer of topic ", topic_->name, " was stopped"));
  }

  /// Takes the place of a lane that is about to be made.
  absl::Status Reserve(PartitionId partition) {
    if (partition.value() < 0 || partition.value() >= partition_count()) {
      return MakeError(Reason::kUnknownPartition,
                       base::StrCat("topic ", topic_->name, ": expected a partition from 0 to ",
                                    partition_count() - 1, ", found ", partition.value()));
    }
    const base::MutexLock lock(mutex_);
    if (is_stopped_) return Closed();
    if (lanes_.try_emplace(partition, nullptr).second) return absl::OkStatus();
    return MakeError(
        Reason::kInvalidArgument,
        base::StrCat("topic ", topic_->name, ": expected a partition that is not added, found ",
                     partition.value()));
  }

  void GiveUp(PartitionId partition) {
    const base::MutexLock lock(mutex_);
    lanes_.erase(partition);
  }

  /// False, with the place still taken, when the consumer was stopped meanwhile.
  bool Keep(PartitionId partition, const std::shared_ptr<PushLane>& lane) {
    const base::MutexLock lock(mutex_);
    if (is_stopped_) return false;
    lanes_[partition] = lane;
    return true;
  }

  /// Stops lanes that were taken out of lanes_, side by side, then gives their places up.
  void End(const Lanes& lanes) {
    for (const auto& [partition, lane] : lanes) {
      client_.executor().Post([core = core_, id = partition] { core->Remove(id); });
      lane->BeginStop();
    }
    for (const auto& [partition, lane] : lanes) {
      lane->Stop();
      GiveUp(partition);
    }
  }

  absl::StatusOr<Offset> FindOffset(PartitionId partition, Position from) {
    client::PendingResult<absl::StatusOr<std::vector<Offset>>> found;
    client::FindOffsets(client_, topic_->id, {{.partition = partition, .position = from}},
                        found.callback());
    const absl::StatusOr<std::vector<Offset>> offsets = found.Wait();
    if (!offsets.ok()) return base::Annotate(offsets.status(), "topic " + topic_->name);
    return offsets->front();
  }

  std::shared_ptr<PushLane> MakeLane(PartitionId partition, Offset from,
                                     std::unique_ptr<Processor> processor) {
    const auto post = [this, partition](void (client::PushCore::*what)(PartitionId)) {
      return [&executor = client_.executor(), core = core_, partition, what] {
        executor.Post([core, partition, what] { ((*core).*what)(partition); });
      };
    };
    return std::make_shared<PushLane>(
        PushLane::Options{.topic = topic_->name,
                          .source = {.topic_id = topic_->id, .partition = partition},
                          .start = from,
                          .consumer = options_.consumer,
                          .low_bytes = options_.partition_bytes / 2},
        PushLane::Deps{.processor = std::move(processor),
                       .on_low = post(&client::PushCore::OnLow),
                       .on_ended = post(&client::PushCore::OnEnded),
                       .metrics = client_.metrics()});
  }

  client::ClientCore& client_;
  const PushConsumerOptions options_;
  const client::TopicImagePtr topic_;  ///< For its name and id.
  std::shared_ptr<client::PushCore> core_;
  mutable base::Mutex mutex_;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  /// Null: its Add or Remove is under way.
  Lanes lanes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<PushConsumer>> PushConsumer::Create(Client& client,
                                                                   std::string topic,
                                                                   PushConsumerOptions options) {
  TALOSMQ_RETURN_IF_ERROR(client::CheckOptions(options));
  TALOSMQ_ASSIGN_OR_RETURN(client::TopicImagePtr image,
                           client::FindTopic(client.core(), std::move(topic)));
  return std::make_unique<LanePushConsumer>(client.core(), std::move(options), std::move(image));
}

}  // namespace talosmq
