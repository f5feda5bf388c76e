#include "base/status.h"
#include "client/pending_result.h"
#include "talosmq/error.h"
#include "talosmq/producer.h"

#include <memory>
#include <utility>

namespace talosmq {
namespace {

using Done = RecordProducer::Done;

/// The tag of a record is the address of its Done, which is owned by the record's way through the
/// producer: exactly one Delivery gives it back.
uint64_t TagOf(const Done* done) { return reinterpret_cast<uintptr_t>(done); }
std::unique_ptr<Done> TakeDone(uint64_t tag) {
  return std::unique_ptr<Done>(reinterpret_cast<Done*>(static_cast<uintptr_t>(tag)));
}

void DeliverEach(std::span<const Delivery> deliveries) {
  for (const Delivery& delivery : deliveries) {
    const std::unique_ptr<Done> done = TakeDone(delivery.tag);
    if (*done) (*done)(delivery);
  }
}

/// Thread-safe. Holds nothing but the producer.
class TaggingRecordProducer final : public RecordProducer {
 public:
  explicit TaggingRecordProducer(std::unique_ptr<Producer> producer)
      : producer_(std::move(producer)) {}

  absl::Status Send(const Record& record, Done done) override {
    auto owned = std::make_unique<Done>(std::move(done));
    absl::Status status = producer_->Send(record, TagOf(owned.get()));
    if (status.ok()) static_cast<void>(owned.release());
    return status;
  }

  std::future<Delivery> Send(const Record& record) override {
    auto promise = std::make_shared<std::promise<Delivery>>();
    const absl::Status status =
        Send(record, [promise](const Delivery& delivery) { promise->set_value(delivery); });
    if (!status.ok())
      promise->set_value({.tag = 0, .partition = {}, .offset = {}, .status = status});
    return promise->get_future();
  }

  absl::StatusOr<Delivery> SendAndWait(const Record& record) override {
    return Wait([&](uint64_t tag) { return producer_->Send(record, tag); });
  }

  absl::StatusOr<Delivery> SendAndWait(PartitionId partition, const Record& record) override {
    return Wait([&](uint64_t tag) { return producer_->Send(partition, record, tag); });
  }

  absl::Status Flush() override { return producer_->Flush(); }
  absl::Status Close() override { return producer_->Close(); }

 private:
  template <typename Send>
  absl::StatusOr<Delivery> Wait(const Send& send) {
    client::PendingResult<Delivery> delivered;
    auto done = std::make_unique<Done>(
        [delivered](const Delivery& delivery) mutable { delivered.callback()(delivery); });
    TALOSMQ_RETURN_IF_ERROR(send(TagOf(done.get())));
    static_cast<void>(done.release());
    Delivery delivery = delivered.Wait();
    if (!delivery.status.ok()) return delivery.status;
    return delivery;
  }

  std::unique_ptr<Producer> producer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RecordProducer>> RecordProducer::Create(Client& client,
                                                                       std::string topic,
                                                                       ProducerOptions options) {
  if (options.on_delivery) {
    return MakeError(Reason::kInvalidArgument,
                     "on_delivery: expected none, for RecordProducer delivers each record itself");
  }
  options.on_delivery = DeliverEach;
  absl::StatusOr<std::unique_ptr<Producer>> producer =
      Producer::Create(client, std::move(topic), std::move(options));
  if (!producer.ok()) return producer.status();
  return std::make_unique<TaggingRecordProducer>(*std::move(producer));
}

}  // namespace talosmq
