#include "talosmq/producer.h"

#include "base/check.h"
#include "client/pending_result.h"
#include "client/producer_core.h"
#include "talosmq/error.h"

#include <utility>

namespace talosmq {
namespace {

/// The blocking face of a ProducerCore. Thread-safe. The core is given back to the executor, where
/// its last callbacks run.
class BlockingProducer final : public Producer {
 public:
  BlockingProducer(client::ClientCore& client, std::shared_ptr<client::ProducerCore> core)
      : client_(client), core_(std::move(core)) {}

  ~BlockingProducer() override {
    Close().IgnoreError();
    client_.executor().Post([core = std::move(core_)] {});
  }

  absl::Status Send(const Record& record, uint64_t tag) override {
    return TrySend(record, tag, absl::InfiniteDuration());
  }

  absl::Status Send(PartitionId partition, const Record& record, uint64_t tag) override {
    return TrySend(partition, record, tag, absl::InfiniteDuration());
  }

  absl::Status TrySend(const Record& record, uint64_t tag, absl::Duration wait) override {
    return SendWith(record, wait, [&] { return core_->TrySend(record, tag); });
  }

  absl::Status TrySend(PartitionId partition, const Record& record, uint64_t tag,
                       absl::Duration wait) override {
    return SendWith(record, wait, [&] { return core_->TrySend(partition, record, tag); });
  }

  absl::Status Flush() override {
    TALOSMQ_CHECK(!client_.executor().IsCurrent()) << "Flush from on_delivery";
    client::PendingResult<absl::Status> flushed;
    core_->Flush(flushed.callback());
    return flushed.Wait();
  }

  absl::Status Close() override {
    TALOSMQ_CHECK(!client_.executor().IsCurrent()) << "Close from on_delivery";
    client::PendingResult<absl::Status> closed;
    core_->Close(closed.callback());
    return closed.Wait();
  }

 private:
  template <typename TryOnce>
  absl::Status SendWith(const Record& record, absl::Duration wait, const TryOnce& try_once) {
    absl::Status status = try_once();
    if (status.ok() || ReasonOf(status) != Reason::kOverloaded) return status;
    // On the producer's own thread nobody else would make room.
    if (client_.executor().IsCurrent()) return status;
    const absl::Duration deadline = client_.clock().Monotonic() + wait;
    while (ReasonOf(status) == Reason::kOverloaded) {
      const absl::Duration left = deadline - client_.clock().Monotonic();
      if (left <= absl::ZeroDuration()) return status;
      core_->WaitForRoom(record, left);
      status = try_once();
    }
    return status;
  }

  client::ClientCore& client_;
  std::shared_ptr<client::ProducerCore> core_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Producer>> Producer::Create(Client& client, std::string topic,
                                                           ProducerOptions options) {
  client::PendingResult<absl::StatusOr<std::shared_ptr<client::ProducerCore>>> created;
  client::ProducerCore::Create(client.core(), std::move(topic), std::move(options),
                               created.callback());
  absl::StatusOr<std::shared_ptr<client::ProducerCore>> core = created.Wait();
  if (!core.ok()) return core.status();
  return std::make_unique<BlockingProducer>(client.core(), *std::move(core));
}

}  // namespace talosmq
