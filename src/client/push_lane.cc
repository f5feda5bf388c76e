#include "client/push_lane.h"

#include "base/check.h"
#include "base/text.h"
#include "client/chunk_decoder.h"
#include "client/records_taken.h"

#include <utility>

namespace talosmq::client {

PushLane::PushLane(const Options& options, Deps deps)
    : options_(options),
      deps_(std::move(deps)),
      position_(options.start.value()),
      thread_({.name = base::StrCat("push-", options.source.partition.value())}) {
  thread_.Post([this] { deps_.processor->Init(options_.source.partition, options_.start); });
}

PushLane::~PushLane() { Stop(); }

void PushLane::Push(FetchedChunk chunk) {
  bytes_ += static_cast<int64_t>(chunk.records.size());
  thread_.Post([this, chunk = std::move(chunk)] { Handle(chunk); });
}

void PushLane::BeginStop() {
  if (is_stopping_.exchange(true)) return;
  thread_.Post([this] { End(absl::OkStatus()); });
}

void PushLane::Stop() {
  TALOSMQ_CHECK(!thread_.IsCurrent()) << "a processor stops its own partition";
  BeginStop();
  thread_.Stop();
}

void PushLane::Handle(const FetchedChunk& chunk) {
  if (!has_ended_ && !is_stopping_) {
    if (const absl::Status status = Process(chunk); !status.ok()) End(status);
  }
  const auto size = static_cast<int64_t>(chunk.records.size());
  const int64_t before = bytes_.fetch_sub(size);
  if (before > options_.low_bytes && before - size <= options_.low_bytes) deps_.on_low();
}

void PushLane::NoteHighWatermark(Offset high_watermark) {
  int64_t known = high_watermark_.load();
  while (known < high_watermark.value() &&
         !high_watermark_.compare_exchange_weak(known, high_watermark.value())) {
  }
}

absl::Status PushLane::Process(const FetchedChunk& chunk) {
  if (!chunk.status.ok()) return chunk.status;
  if (chunk.moved_to.has_value()) {
    position_ = chunk.moved_to->value();
    return absl::OkStatus();
  }
  NoteHighWatermark(chunk.high_watermark);
  DecodedChunk decoded = DecodeChunk(options_.source.topic_id, chunk, Offset(position_.load()),
                                     options_.consumer.on_corrupt);
  TellRecordsTaken(deps_.metrics, options_.topic, chunk, decoded);
  TellSkipped(options_.consumer, decoded);
  for (const RecordBatchView& batch : decoded.batches) {
    if (is_stopping_) return absl::OkStatus();
    if (absl::Status status = deps_.processor->Process(batch); !status.ok()) return status;
    position_ = batch.records().back().offset.value() + 1;
  }
  position_ = decoded.position.value();
  return decoded.status;
}

void PushLane::End(const absl::Status& why) {
  if (std::exchange(has_ended_, true)) return;
  deps_.on_ended();
  deps_.processor->Shutdown(why);
  deps_.processor = nullptr;
}

}  // namespace talosmq::client
