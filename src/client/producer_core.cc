#include "client/producer_core.h"

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "client/murmur2.h"
#include "client/option_checks.h"
#include "client/retry.h"
#include "record/batch_format.h"
#include "talosmq/error.h"
#include "talosmq/v1/message.pb.h"

#include <algorithm>
#include <utility>

namespace talosmq::client {
namespace {

/// The broker's default of max.message.bytes, which no batch can be above.
constexpr size_t kBatchBytesMax = size_t{20} << 20;

record::Codec CodecOf(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return record::Codec::kNone;
    case Compression::kGzip:
      return record::Codec::kGzip;
    case Compression::kSnappy:
      return record::Codec::kSnappy;
    case Compression::kLz4:
      return record::Codec::kLz4;
    case Compression::kZstd:
      return record::Codec::kZstd;
  }
  return record::Codec::kNone;
}

record::RecordInput InputOf(const Record& record) {
  return {.timestamp_ms = 0, .key = record.key, .value = record.value, .headers = record.headers};
}

void AskForIdentity(ClientCore& core, base::Callback<absl::StatusOr<ProducerIdentity>> done) {
  core.CallTyped<v1::InitProducerResponse>(
      "/talosmq.v1.MessageService/InitProducer", v1::InitProducerRequest(), CallPolicy::kAnyServer,
      [done = std::move(done)](const absl::StatusOr<v1::InitProducerResponse>& response) mutable {
        if (!response.ok()) {
          done(response.status());
          return;
        }
        done(ProducerIdentity{.id = ProducerId(response->producer_id()),
                              .epoch = static_cast<int16_t>(response->producer_epoch())});
      });
}

}  // namespace

void ProducerCore::Create(ClientCore& core, std::string topic, ProducerOptions options,
                          Created done) {
  if (absl::Status status = CheckOptions(options); !status.ok()) {
    done(std::move(status));
    return;
  }
  const bool idempotent = options.idempotent;
  auto begin = [&core, idempotent, options = std::move(options),
                done = std::move(done)](absl::StatusOr<TopicImagePtr> image) mutable {
    if (!image.ok()) {
      done(image.status());
      return;
    }
    std::shared_ptr<ProducerCore> producer(
        new ProducerCore(core, std::move(options), *std::move(image)));
    auto finish = [producer, done = std::move(done)](
                      const absl::StatusOr<ProducerIdentity>& identity) mutable {
      if (!identity.ok()) {
        done(base::Annotate(identity.status(), "producer id"));
        return;
      }
      producer->identity_ = *identity;
      producer->ApplyImage(producer->topic_);
      producer->ScheduleRefresh();
      done(std::move(producer));
    };
    if (!idempotent) {
      finish(ProducerIdentity());
      return;
    }
    Retry<ProducerIdentity>::Start(
        core, [&core](auto answer) { AskForIdentity(core, std::move(answer)); }, std::move(finish));
  };
  core.executor().Post([&core, topic = std::move(topic), begin = std::move(begin)]() mutable {
    Retry<TopicImagePtr>::Start(
        core,
        [&core, topic = std::move(topic)](MetadataCache::Done answer) {
          core.metadata().FindByName(topic, std::move(answer));
        },
        std::move(begin));
  });
}

ProducerCore::ProducerCore(ClientCore& core, ProducerOptions options, TopicImagePtr topic)
    : core_(core),
      options_(std::move(options)),
      record_bytes_max_(std::min(kBatchBytesMax, static_cast<size_t>(options_.buffer_bytes)) -
                        record::kHeaderBytes),
      budget_(std::make_shared<BufferBudget>(options_.buffer_bytes)),
      topic_(std::move(topic)) {}

ProducerCore::~ProducerCore() {
  const Senders* senders = senders_.load();
  if (senders == nullptr) return;
  for (const auto& sender : *senders) sender->Abandon();
}

absl::Status ProducerCore::TrySend(const Record& record, uint64_t tag) {
  const Senders& senders = *senders_.load(std::memory_order_acquire);
  if (options_.partitioner) {
    const std::optional<PartitionId> chosen =
        options_.partitioner(record, static_cast<int32_t>(senders.size()));
    if (chosen.has_value()) return TrySend(*chosen, record, tag);
  }
  if (!record.key.has_value()) return SendKeyless(senders, record, tag);
  const int32_t partition =
      PartitionOfKey(base::AsBytes(*record.key), static_cast<int32_t>(senders.size()));
  BatchQueue::Verdict verdict;
  return Append(*senders[static_cast<size_t>(partition)], record, tag,
                BatchQueue::Opening::kAllowed, &verdict);
}

absl::Status ProducerCore::TrySend(PartitionId partition, const Record& record, uint64_t tag) {
  const Senders& senders = *senders_.load(std::memory_order_acquire);
  const auto index = static_cast<size_t>(partition.value());
  if (partition.value() < 0 || index >= senders.size()) {
    return MakeError(Reason::kUnknownPartition,
                     base::StrCat("partition: expected 0 to ", senders.size() - 1, ", found ",
                                  partition.value()));
  }
  BatchQueue::Verdict verdict;
  return Append(*senders[index], record, tag, BatchQueue::Opening::kAllowed, &verdict);
}

absl::Status ProducerCore::SendKeyless(const Senders& senders, const Record& record, uint64_t tag) {
  // In 32 bits, whose division takes half as long.
  const auto count = static_cast<uint32_t>(senders.size());
  uint32_t at = sticky_.load(std::memory_order_relaxed);
  BatchQueue::Verdict verdict;
  absl::Status status =
      Append(*senders[at % count], record, tag, BatchQueue::Opening::kRefused, &verdict);
  if (verdict != BatchQueue::Verdict::kNoOpenBatch) return status;
  // The batch that records stuck to is on its way: on to the next partition, once.
  if (sticky_.compare_exchange_strong(at, at + 1)) ++at;
  return Append(*senders[at % count], record, tag, BatchQueue::Opening::kAllowed, &verdict);
}

absl::Status ProducerCore::Append(PartitionSender& sender, const Record& record, uint64_t tag,
                                  BatchQueue::Opening opening, BatchQueue::Verdict* verdict) {
  const record::RecordInput input = InputOf(record);
  const size_t bytes_max = record::BatchBuilder::EncodedBytesMax(input);
  *verdict = BatchQueue::Verdict::kClosed;
  if (bytes_max > record_bytes_max_) return TooLarge(bytes_max);
  const BatchQueue::Appended appended =
      sender.queue().Append(input, record.timestamp, bytes_max, tag, opening);
  if (appended.wake_sender) Wake(sender);
  *verdict = appended.verdict;
  switch (appended.verdict) {
    case BatchQueue::Verdict::kAppended:
    case BatchQueue::Verdict::kNoOpenBatch:
      return absl::OkStatus();
    case BatchQueue::Verdict::kBufferFull:
      OnBufferFull();
      return MakeError(Reason::kOverloaded, base::StrCat("the producer's buffer of ",
                                                         options_.buffer_bytes, " bytes is full"));
    case BatchQueue::Verdict::kClosed:
      return sender.queue().close_status();
  }
  return absl::OkStatus();
}

absl::Status ProducerCore::TooLarge(size_t bytes) const {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("record: expected at most ", record_bytes_max_,
                                " bytes once encoded, found ", bytes));
}

void ProducerCore::Wake(PartitionSender& sender) {
  core_.executor().Post([sender = sender.shared_from_this()] { sender->Pump(); });
}

void ProducerCore::OnBufferFull() {
  // Without linger nothing is held back that could be sent.
  if (options_.linger == absl::ZeroDuration() || !budget_->is_mostly_filling()) return;
  if (pump_all_posted_.exchange(true)) return;
  core_.executor().Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->pump_all_posted_ = false;
    for (const auto& sender : *self->senders_.load()) sender->PumpAll();
  });
}

void ProducerCore::WaitForRoom(const Record& record, absl::Duration wait) {
  budget_->WaitForRoom(static_cast<int64_t>(record::kHeaderBytes +
                                            record::BatchBuilder::EncodedBytesMax(InputOf(record))),
                       wait);
}

void ProducerCore::Flush(base::Callback<absl::Status> done) {
  core_.executor().Post([self = shared_from_this(), done = std::move(done)]() mutable {
    self->flushes_.Flush([self, done = std::move(done)]() mutable {
      done(std::exchange(self->first_error_, absl::OkStatus()));
    });
    for (const auto& sender : *self->senders_.load()) sender->Pump();
  });
}

void ProducerCore::Close(base::Callback<absl::Status> done) {
  core_.executor().Post([self = shared_from_this(), done = std::move(done)]() mutable {
    self->closed_ = true;
    const absl::Status closed = MakeError(
        Reason::kClosed, base::StrCat("the producer of topic ", self->topic_->name, " is closed"));
    for (const auto& sender : *self->senders_.load()) sender->queue().Close(closed);
    self->budget_->Close();
    self->Flush(std::move(done));
  });
}

TopicPartition ProducerCore::TargetOf(PartitionId partition) const {
  return {.topic_id = topic_->id, .partition = partition};
}

const PartitionLeader& ProducerCore::LeaderOf(PartitionId partition) const {
  return topic_->partitions[static_cast<size_t>(partition.value())];
}

void ProducerCore::RefreshLeaders(base::Callback<absl::Status> done) {
  core_.metadata().Refresh(topic_->id, [weak = weak_from_this(), done = std::move(done)](
                                           const absl::StatusOr<TopicImagePtr>& image) mutable {
    const auto self = weak.lock();
    if (self == nullptr) return;
    if (image.ok()) self->ApplyImage(*image);
    if (ReasonOf(image.status()) == Reason::kUnknownTopicId) self->FailTopic(image.status());
    done(image.status());
  });
}

void ProducerCore::NewIdentity(base::Callback<absl::StatusOr<ProducerIdentity>> done) {
  AskForIdentity(core_, std::move(done));
}

void ProducerCore::SendBatch(const std::string& address, ProduceItem item) {
  if (core_.metrics() != nullptr) {
    item.done = [this_core = &core_, address, asked = core_.clock().Monotonic(),
                 done = std::move(item.done)](ProduceOutcome outcome) mutable {
      this_core->metrics()->OnRequestEnded({.method = "/talosmq.v1.MessageService/Produce",
                                            .server = address,
                                            .latency = this_core->clock().Monotonic() - asked,
                                            .reason = ReasonOf(outcome.status)});
      done(std::move(outcome));
    };
  }
  core_.produce_sessions().Send(address, std::move(item));
}

absl::Duration ProducerCore::PauseAfter(PartitionId partition, int failures,
                                        const absl::Status& why) {
  const absl::Duration pause = core_.PauseAfter(failures, why);
  if (core_.metrics() != nullptr) {
    core_.metrics()->OnRetryPause(
        {.topic = topic_->name, .partition = partition, .reason = ReasonOf(why), .pause = pause});
  }
  return pause;
}

void ProducerCore::Deliver(PartitionId partition, std::vector<SettledBatch> settled) {
  for (SettledBatch& end : settled) {
    if (!end.status.ok()) {
      end.status = base::Annotate(
          end.status, base::StrCat("topic ", topic_->name, " partition ", partition.value()));
      if (first_error_.ok()) first_error_ = end.status;
    }
    if (options_.on_delivery) {
      deliveries_.clear();
      deliveries_.reserve(end.batch->tags.size());
      Offset offset = end.base_offset;
      const bool has_offset = end.status.ok() && offset.value() >= 0;
      for (const uint64_t tag : end.batch->tags) {
        deliveries_.push_back(
            {.tag = tag, .partition = partition, .offset = offset, .status = end.status});
        if (has_offset) offset = offset + 1;
      }
      options_.on_delivery(deliveries_);
    }
    if (core_.metrics() != nullptr) TellBatchEnded(partition, end);
    const int64_t generation = end.batch->generation;
    end.batch = nullptr;  // Makes room, as far as the network holds its bytes no more.
    flushes_.BatchDone(generation);
  }
}

void ProducerCore::TellBatchEnded(PartitionId partition, const SettledBatch& end) const {
  core_.metrics()->OnBatchEnded({.topic = topic_->name,
                                 .partition = partition,
                                 .records = static_cast<int64_t>(end.batch->tags.size()),
                                 .bytes = static_cast<int64_t>(end.batch->bytes.size()),
                                 .latency = core_.clock().Monotonic() - end.batch->opened,
                                 .reason = ReasonOf(end.status),
                                 .buffer_used_bytes = budget_->taken(),
                                 .buffer_bytes = options_.buffer_bytes});
}

std::shared_ptr<PartitionSender> ProducerCore::MakeSender(PartitionId partition) {
  auto sender = std::make_shared<PartitionSender>(
      PartitionSender::Options{
          .partition = partition,
          .queue = {.codec = CodecOf(options_.compression),
                    .batch_bytes = options_.batch_bytes,
                    .batch_records = options_.batch_records,
                    .linger = options_.linger},
          .window = {.in_flight_max = options_.in_flight_per_partition,
                     .idempotent = options_.idempotent,
                     .without_idempotence = options_.unsafe_retries == UnsafeRetries::kOn
                                                ? SendWindow::UnknownOutcome::kIsSentAgain
                                                : SendWindow::UnknownOutcome::kSettles},
          .acks = options_.acks,
          .delivery_timeout = options_.delivery_timeout},
      PartitionSender::Deps{
          .executor = core_.executor(),
          .clock = core_.clock(),
          .host = *this,
          .queue = {.budget = budget_, .flushes = flushes_, .clock = core_.clock()}});
  if (options_.idempotent) sender->BeginIdentity(identity_);
  return sender;
}

void ProducerCore::ApplyImage(TopicImagePtr topic) {
  const Senders* current = senders_.load();
  const size_t known = current == nullptr ? 0 : current->size();
  // Partitions never go; fewer of them is an older answer.
  if (topic->partitions.size() < known) return;
  topic_ = std::move(topic);
  if (topic_->partitions.size() == known || closed_) return;
  auto senders =
      current == nullptr ? std::make_unique<Senders>() : std::make_unique<Senders>(*current);
  for (size_t i = known; i < topic_->partitions.size(); ++i) {
    senders->push_back(MakeSender(PartitionId(static_cast<int32_t>(i))));
  }
  senders_.store(senders.get(), std::memory_order_release);
  tables_.push_back(std::move(senders));
}

void ProducerCore::FailTopic(const absl::Status& why) {
  if (!failed_.ok()) return;
  failed_ = why;
  for (const auto& sender : *senders_.load()) sender->Fail(why);
  budget_->Close();  // After the queues, so that whoever waits for room finds its own closed.
  if (!options_.on_topic_deleted || closed_) return;
  // A batch that is being sealed is delivered a little later.
  flushes_.Flush([self = shared_from_this()] {
    if (!self->closed_) self->options_.on_topic_deleted(self->failed_);
  });
}

void ProducerCore::ScheduleRefresh() {
  core_.executor().PostAfter(core_.options().metadata_age_max, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->closed_ || !self->failed_.ok()) return;
    self->RefreshLeaders([](const absl::Status&) {});
    self->ScheduleRefresh();
  });
}

}  // namespace talosmq::client
