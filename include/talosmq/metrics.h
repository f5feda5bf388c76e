#pragma once

#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <cstdint>
#include <string_view>

namespace talosmq {

/// A batch of a producer has its deliveries.
struct BatchEnded {
  std::string_view topic;
  PartitionId partition;
  int64_t records = 0;
  int64_t bytes = 0;              ///< As sent: compressed, with the batch's header.
  absl::Duration latency;         ///< From the Send of its first record.
  Reason reason = Reason::kNone;  ///< kNone: stored as asked.
  int64_t buffer_used_bytes = 0;  ///< Of the producer's buffer, this batch still counted.
  int64_t buffer_bytes = 0;       ///< ProducerOptions::buffer_bytes.
};

/// A producer waits before it sends to a partition again.
struct RetryPause {
  std::string_view topic;
  PartitionId partition;
  Reason reason = Reason::kNone;  ///< Of the failure before.
  absl::Duration pause;
};

/// A server has answered, or will not.
struct RequestEnded {
  /// "/talosmq.v1.TopicService/GetMetadata". A batch's way over a produce stream, from the moment
  /// it waits for the stream to its answer, counts as one of "/talosmq.v1.MessageService/Produce".
  std::string_view method;
  std::string_view server;  ///< HOST:PORT.
  absl::Duration latency;
  Reason reason = Reason::kNone;  ///< kNone: as asked.
};

/// Records were given to the application: out of one answer of the server.
struct RecordsTaken {
  std::string_view topic;
  PartitionId partition;
  int64_t records = 0;
  int64_t bytes = 0;            ///< As fetched.
  int64_t skipped_records = 0;  ///< Left out under OnCorrupt::kSkip.
  int64_t lag_records = 0;      ///< Offsets between these records and the high watermark.
};

/// Through which an application hears what its Client does, to count and measure it in whatever
/// metrics library it has: see ClientOptions::metrics.
///
/// Each call stands for a batch, a request or an answer, never for a single record; without an
/// object nothing is computed. The values are valid during the call only. Calls come from the
/// client's own thread, but for OnRecordsTaken, which comes from the thread that polls, reads or
/// processes. Implementations must be thread-safe, must not block, and must not call the SDK.
/// Shared by its Client until that is gone.
class ClientMetrics {
 public:
  virtual ~ClientMetrics() = default;
  virtual void OnBatchEnded(const BatchEnded& /*batch*/) {}
  virtual void OnRetryPause(const RetryPause& /*pause*/) {}
  virtual void OnRequestEnded(const RequestEnded& /*request*/) {}
  virtual void OnRecordsTaken(const RecordsTaken& /*records*/) {}
};

}  // namespace talosmq
