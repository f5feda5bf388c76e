#include "loadgen/ceiling_client.h"

#include "base/status.h"
#include "base/text.h"
#include "loadgen/ceiling_wire.h"

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

#include <utility>

namespace talosmq::loadgen {
namespace {

constexpr size_t kOutstandingMax = 5;

enum class Event : uintptr_t { kStarted = 1, kRead, kWritten };

void* Tag(Event event) { return reinterpret_cast<void*>(event); }

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kCeilingReceiveBytesMax);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kCeilingFrameBytesMax);
  arguments.SetInt(GRPC_ARG_TCP_READ_CHUNK_SIZE, kCeilingReadChunkBytes);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CeilingClient>> CeilingClient::Connect(const std::string& address,
                                                                      const base::Clock& clock) {
  std::unique_ptr<CeilingClient> client(new CeilingClient(address, clock));
  client->stream_->StartCall(Tag(Event::kStarted));
  while (!client->is_started_) TALOSMQ_RETURN_IF_ERROR(client->WaitForEvent());
  return client;
}

CeilingClient::CeilingClient(const std::string& address, const base::Clock& clock)
    : clock_(clock),
      stub_(OpenChannel(address)),
      stream_(stub_.PrepareCall(&context_, kCeilingMethod, &queue_)) {}

CeilingClient::~CeilingClient() {
  context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool is_ok = false;
  while (queue_.Next(&tag, &is_ok)) continue;
}

absl::Status CeilingClient::Send(base::Buffer batch) {
  while (is_writing_ || sent_.size() == kOutstandingMax) {
    TALOSMQ_RETURN_IF_ERROR(WaitForEvent());
  }
  sent_.push_back(clock_.Monotonic());
  is_writing_ = true;
  stream_->Write(ToMessage(std::move(batch)), Tag(Event::kWritten));
  return absl::OkStatus();
}

absl::Status CeilingClient::Drain() {
  while (is_writing_ || !sent_.empty()) TALOSMQ_RETURN_IF_ERROR(WaitForEvent());
  return absl::OkStatus();
}

LatencySummary CeilingClient::TakeLatency() {
  return std::exchange(latency_, LatencySamples()).Summarize();
}

absl::Status CeilingClient::WaitForEvent() {
  void* tag = nullptr;
  bool is_ok = false;
  if (!queue_.Next(&tag, &is_ok) || !is_ok) {
    return MakeError(Reason::kUnavailable, "the ceiling's server side ended the stream");
  }
  switch (static_cast<Event>(reinterpret_cast<uintptr_t>(tag))) {
    case Event::kStarted:
      is_started_ = true;
      stream_->Read(&incoming_, Tag(Event::kRead));
      break;
    case Event::kRead:
      OnAck();
      break;
    case Event::kWritten:
      is_writing_ = false;
      break;
  }
  return broken_;
}

void CeilingClient::OnAck() {
  const absl::StatusOr<uint32_t> batches = DecodeAck(incoming_);
  if (!batches.ok() || *batches > sent_.size()) {
    broken_ =
        MakeError(Reason::kInternal, base::StrCat("the server side acknowledged more than the ",
                                                  sent_.size(), " batches under way"));
    return;
  }
  const absl::Duration now = clock_.Monotonic();
  for (uint32_t i = 0; i < *batches; ++i) {
    latency_.Add(now - sent_.front());
    sent_.pop_front();
  }
  stream_->Read(&incoming_, Tag(Event::kRead));
}

}  // namespace talosmq::loadgen
