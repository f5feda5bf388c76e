#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "client/produce_outcome.h"
#include "client/transport.h"

#include "absl/time/time.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace talosmq::client {

/// One attempt to store one batch.
struct ProduceItem {
  PartitionBatch batch;
  Acks acks = Acks::kAll;
  absl::Duration deadline;  ///< By the monotonic clock; the broker begins nothing after it.
  base::Task leaving;       ///< Runs when it is about to be handed to the network, if ever.
  base::Callback<ProduceOutcome> done;
};

/// One produce stream: puts the batches that wait into as few messages as there is room for, and
/// brings each batch its answer.
///
/// Invariants:
/// 1. Batches of one partition leave in the order of Send, never two of them in one message, so a
///    (request id, partition) names one batch.
/// 2. `done` of each item runs exactly once, on the executor and not within Send. When the stream
///    ends, items that were written get is_unknown, the others were certainly not stored.
///    What still waits when its deadline passes is never written: kDeadlineExceeded.
/// 3. One message is being written at a time and holds at most kMessageBytesMax, unless it is one
///    batch; what waits is bounded by the producers' buffers.
/// Confined to the client's executor; the observer calls come from the transport and are posted.
/// Shared by its table and its stream; closed for good when the stream ends.
class ProduceSession : public ProduceObserver, public std::enable_shared_from_this<ProduceSession> {
 public:
  static constexpr size_t kMessageBytesMax = size_t{1} << 20;
  static constexpr size_t kMessageBatchesMax = 1000;

  static std::shared_ptr<ProduceSession> Open(const std::string& address, Transport& transport,
                                              base::Executor& executor, const base::Clock& clock);

  void Send(ProduceItem item);
  bool is_closed() const { return closed_; }
  /// Lets go of the stream, which shares this session, without a word to those who wait.
  void Abandon() { stream_.reset(); }

  void OnWritten(uint64_t request_id) override;
  void OnAnswer(ProduceAnswer answer) override;
  void OnClosed(absl::Status why) override;

 private:
  struct Request {
    std::map<TopicPartition, base::Callback<ProduceOutcome>> unanswered;
    Acks acks = Acks::kAll;
  };

  ProduceSession(std::string address, base::Executor& executor, const base::Clock& clock)
      : address_(std::move(address)), executor_(executor), clock_(clock) {}

  void WriteNext();
  /// Ends the items at the front of waiting_ that came too late.
  void DropExpired(absl::Duration now);
  /// Moves what fits from the front of waiting_, which is not empty, into one message.
  ProduceMessage TakeMessage(absl::Duration now);
  void HandleWritten(uint64_t request_id);
  void HandleAnswer(ProduceAnswer answer);
  void HandleClosed(const absl::Status& why);

  const std::string address_;
  base::Executor& executor_;
  const base::Clock& clock_;
  std::unique_ptr<ProduceStream> stream_;
  std::deque<ProduceItem> waiting_;
  /// Written or being written, in their order.
  std::map<uint64_t, Request> requests_;
  uint64_t last_request_id_ = 0;
  bool writing_ = false;
  bool write_posted_ = false;
  bool closed_ = false;
};

}  // namespace talosmq::client
