#include "loadgen/ceiling_server.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "loadgen/ceiling_wire.h"
#include "record/batch.h"

#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

#include <chrono>
#include <utility>

namespace talosmq::loadgen {
namespace {

/// What came back from the completion queue; stands in the tag's bits.
enum class Event : uintptr_t { kAccepted = 1, kRead, kWritten, kFinished, kStop };

/// A deadline that has passed. (gRPC takes what lies before 1970 for "never".)
constexpr std::chrono::system_clock::time_point kLongAgo{};

void* Tag(Event event) { return reinterpret_cast<void*>(event); }

}  // namespace

absl::StatusOr<std::unique_ptr<CeilingServer>> CeilingServer::Start(CeilingLog& log) {
  std::unique_ptr<CeilingServer> server(new CeilingServer(log));
  TALOSMQ_RETURN_IF_ERROR(server->Listen());
  server->receiver_.Post([raw = server.get()] { raw->Serve(); });
  return server;
}

CeilingServer::CeilingServer(CeilingLog& log)
    : log_(log),
      stream_(&context_),
      flusher_({.name = "ceiling-flush"}),
      receiver_({.name = "ceiling-receive"}) {}

CeilingServer::~CeilingServer() { Stop().IgnoreError(); }

absl::Status CeilingServer::Listen() {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterAsyncGenericService(&service_);
  builder.SetMaxReceiveMessageSize(kCeilingReceiveBytesMax);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kCeilingFrameBytesMax);
  builder.AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, kCeilingReadChunkBytes);
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kCeilingFrameBytesMax);
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return MakeError(Reason::kUnavailable, "cannot listen on 127.0.0.1");
  address_ = base::StrCat("127.0.0.1:", port);
  service_.RequestCall(&context_, &stream_, queue_.get(), queue_.get(), Tag(Event::kAccepted));
  return absl::OkStatus();
}

absl::Status CeilingServer::Stop() {
  if (!is_stopped_) {
    is_stopped_ = true;
    // Groups under way still write their acknowledgements, so they go first.
    flusher_.Stop();
    if (server_ != nullptr) {
      server_->Shutdown(kLongAgo);
      stop_alarm_.Set(queue_.get(), kLongAgo, Tag(Event::kStop));
    }
    receiver_.Stop();
  }
  const base::MutexLock lock(mutex_);
  return failure_;
}

void CeilingServer::Serve() {
  void* tag = nullptr;
  bool is_ok = false;
  bool is_stopping = false;
  while (queue_->Next(&tag, &is_ok)) {
    // gRPC aborts when anything is begun on a queue that was shut down. All of it is begun on this
    // thread by now, so this thread shuts it down.
    if (is_stopping) continue;
    switch (static_cast<Event>(reinterpret_cast<uintptr_t>(tag))) {
      case Event::kStop:
        is_stopping = true;
        queue_->Shutdown();
        break;
      case Event::kAccepted:
        if (is_ok) stream_.Read(&incoming_, Tag(Event::kRead));
        break;
      case Event::kRead:
        if (is_ok) {
          OnRead();
        } else {
          // The client has said all it wants to and has had every answer.
          stream_.Finish(grpc::Status::OK, Tag(Event::kFinished));
        }
        break;
      case Event::kWritten:
        if (is_ok) OnWritten();
        break;
      case Event::kFinished:
        break;
    }
  }
}

void CeilingServer::OnRead() {
  absl::StatusOr<base::Buffer> batch = CopyMessage(incoming_);
  stream_.Read(&incoming_, Tag(Event::kRead));
  const absl::Status checked =
      batch.ok() ? record::VerifyCrc(batch->bytes()) : absl::Status(batch.status());
  if (!checked.ok()) return Fail(checked);
  bool starts_flushing = false;
  {
    const base::MutexLock lock(mutex_);
    gathered_.push_back(*std::move(batch));
    starts_flushing = !std::exchange(is_flushing_, true);
  }
  if (starts_flushing) flusher_.Post([this] { FlushGroups(); });
}

void CeilingServer::FlushGroups() {
  std::vector<base::Buffer> group;
  while (true) {
    group.clear();
    {
      const base::MutexLock lock(mutex_);
      group.swap(gathered_);
      is_flushing_ = !group.empty() && failure_.ok();
      if (!is_flushing_) return;
    }
    const absl::Status durable = log_.Append(group);
    if (!durable.ok()) return Fail(durable);
    Acknowledge(static_cast<uint32_t>(group.size()));
  }
}

/// gRPC takes one write at a time; what is acknowledged meanwhile goes with the next.
void CeilingServer::Acknowledge(uint32_t batches) {
  uint32_t to_send = 0;
  {
    const base::MutexLock lock(mutex_);
    unsent_acks_ += batches;
    if (is_writing_ || unsent_acks_ == 0) return;
    is_writing_ = true;
    to_send = std::exchange(unsent_acks_, 0);
  }
  stream_.Write(EncodeAck(to_send), Tag(Event::kWritten));
}

void CeilingServer::OnWritten() {
  {
    const base::MutexLock lock(mutex_);
    is_writing_ = false;
  }
  Acknowledge(0);
}

void CeilingServer::Fail(const absl::Status& status) {
  {
    const base::MutexLock lock(mutex_);
    if (failure_.ok()) failure_ = status;
  }
  context_.TryCancel();
}

}  // namespace talosmq::loadgen
