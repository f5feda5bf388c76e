#pragma once

#include "base/bytes.h"
#include "base/executor.h"
#include "talosmq/ids.h"
#include "talosmq/producer.h"
#include "talosmq/v1/consumer.pb.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::client {

/// One unary call to one server.
struct CallRequest {
  std::string address;      ///< HOST:PORT.
  std::string_view method;  ///< "/talosmq.v1.TopicService/GetMetadata"; a literal.
  std::string body;         ///< Serialised protobuf message.
  absl::Duration timeout;
};

/// One finished batch for one partition.
struct PartitionBatch {
  TopicPartition target;
  LeaderEpoch known_epoch = kNoEpoch;
  base::Buffer records;  ///< Sent without a copy; released when the call has really ended.
};

struct ProduceMessage {
  uint64_t request_id = 0;
  Acks acks = Acks::kAll;
  absl::Duration timeout =
      absl::InfiniteDuration();  ///< From arrival; the broker begins no append after it.
  std::vector<PartitionBatch> batches;
};

struct PartitionAck {
  TopicPartition target;
  absl::Status status;
  Offset base_offset;  ///< Holds when status is OK.
};

struct ProduceAnswer {
  uint64_t request_id = 0;
  std::vector<PartitionAck> acks;  ///< Some or all partitions of the request.
};

/// What happens on a produce stream. Called on the transport's threads, one call at a time, and
/// possibly from within Write; must not block. The stream shares ownership until OnClosed returned.
class ProduceObserver {
 public:
  virtual ~ProduceObserver() = default;
  /// The message was handed to the network; the next may be written.
  virtual void OnWritten(uint64_t request_id) = 0;
  virtual void OnAnswer(ProduceAnswer answer) = 0;
  /// Last call, exactly once: what was written and not answered has an unknown outcome.
  virtual void OnClosed(absl::Status why) = 0;
};

/// A stream to one broker. Thread-compatible; destroying it cancels it, and OnClosed still comes.
class ProduceStream {
 public:
  virtual ~ProduceStream() = default;
  /// One message at a time: the next one only after OnWritten. After the stream has ended, nothing.
  virtual void Write(ProduceMessage message) = 0;
};

struct FetchSubscription {
  uint64_t id = 0;  ///< Never used twice on a stream.
  TopicPartition source;
  Offset offset;
  LeaderEpoch known_epoch = kNoEpoch;
};

struct FetchCommand {
  std::vector<FetchSubscription> subscribe;
  std::vector<uint64_t> unsubscribe;
  int64_t credit_bytes = 0;  ///< In addition to what the server may still send.
};

struct FetchedPartition {
  uint64_t subscription_id = 0;
  absl::Status status;  ///< Not OK: the subscription has ended.
  Offset high_watermark;
  Offset next_offset;    ///< Where the next fetch begins.
  base::Buffer records;  ///< Whole batches; the first may begin below the asked offset.
};

/// What happens on a fetch stream; the rules of ProduceObserver hold.
class FetchObserver {
 public:
  virtual ~FetchObserver() = default;
  virtual void OnWritten() = 0;
  virtual void OnFetched(std::vector<FetchedPartition> partitions) = 0;
  virtual void OnClosed(absl::Status why) = 0;
};

/// The rules of ProduceStream hold.
class FetchStream {
 public:
  virtual ~FetchStream() = default;
  virtual void Write(FetchCommand command) = 0;
};

/// What happens on a heartbeat stream; the rules of ProduceObserver hold.
class HeartbeatObserver {
 public:
  virtual ~HeartbeatObserver() = default;
  virtual void OnWritten() = 0;
  virtual void OnAnswers(v1::HeartbeatsResponse answers) = 0;
  virtual void OnClosed(absl::Status why) = 0;
};

/// The rules of ProduceStream hold.
class HeartbeatStream {
 public:
  virtual ~HeartbeatStream() = default;
  virtual void Write(v1::HeartbeatsRequest heartbeats) = 0;
};

/// How the SDK's core reaches servers: gRPC, nothing at all (NullTransport), a script in tests.
///
/// Thread-safe. A failure to connect is kUnavailable, a server's own error keeps its reason; who
/// asked adds the address.
class Transport {
 public:
  using Reply = base::Callback<absl::StatusOr<std::string>>;

  virtual ~Transport() = default;
  /// `done` runs exactly once, on a thread of the transport or within Call.
  virtual void Call(CallRequest request, Reply done) = 0;
  virtual std::unique_ptr<ProduceStream> OpenProduce(const std::string& address,
                                                     std::shared_ptr<ProduceObserver> observer) = 0;
  virtual std::unique_ptr<FetchStream> OpenFetch(const std::string& address,
                                                 std::shared_ptr<FetchObserver> observer) = 0;
  virtual std::unique_ptr<HeartbeatStream> OpenHeartbeats(
      const std::string& address, std::shared_ptr<HeartbeatObserver> observer) = 0;
  /// Cancels everything, tells it to whom it concerns, and returns once no callback is under way.
  /// What is asked for later ends within its own call, with kClosed. Not from a callback.
  virtual void ShutDown() = 0;
};

}  // namespace talosmq::client
