#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "loadgen/latency_samples.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace talosmq::loadgen {

/// The client side of `ceiling`: one stream with at most five batches under way, all on the thread
/// that calls it. Thread-compatible.
class CeilingClient {
 public:
  static absl::StatusOr<std::unique_ptr<CeilingClient>> Connect(const std::string& address,
                                                                const base::Clock& clock);
  CeilingClient(const CeilingClient&) = delete;
  CeilingClient& operator=(const CeilingClient&) = delete;
  ~CeilingClient();

  /// Waits for a place under the five.
  absl::Status Send(base::Buffer batch);
  /// Waits until everything sent is acknowledged.
  absl::Status Drain();
  /// Latencies of the batches since the last call.
  LatencySummary TakeLatency();

 private:
  CeilingClient(const std::string& address, const base::Clock& clock);
  absl::Status WaitForEvent();
  void OnAck();

  const base::Clock& clock_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer incoming_;
  /// When each batch under way was written, the oldest first.
  std::deque<absl::Duration> sent_;
  bool is_started_ = false;
  bool is_writing_ = false;
  absl::Status broken_;
  LatencySamples latency_;
};

}  // namespace talosmq::loadgen
