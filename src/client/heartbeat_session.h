#pragma once

#include "base/executor.h"
#include "client/transport.h"
#include "talosmq/v1/consumer.pb.h"

#include "absl/container/flat_hash_map.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace talosmq::client {

/// One heartbeat stream, which the members of a client share: puts the heartbeats that come up
/// while a message is being written into the next one, and brings each its answer.
///
/// Invariants:
/// 1. `done` of each heartbeat runs exactly once, on the executor and not within Send: with its
///    answer, with kDeadlineExceeded when none comes in time, or, when the stream ends, with the
///    reason for that; but a request that is wrong ends none but itself for good: for the others
///    the stream ends with kUnavailable.
/// 2. One message is being written at a time and holds at most kMessageHeartbeatsMax heartbeats and
///    kMessageBytesMax, unless it is one heartbeat. What waits is bounded by the members, and by
///    the time that each gives it.
/// Confined to the client's executor; the observer calls come from the transport and are posted.
/// Shared by its table and its stream; closed for good when the stream ends.
class HeartbeatSession final : public HeartbeatObserver,
                               public std::enable_shared_from_this<HeartbeatSession> {
 public:
  /// A server that has no room for them can refuse so many at once.
  static constexpr int kMessageHeartbeatsMax = 256;
  /// A quarter of what a server takes.
  static constexpr size_t kMessageBytesMax = size_t{256} << 10;
  /// One that is larger would end the stream for all: kInvalidArgument.
  static constexpr size_t kHeartbeatBytesMax = (size_t{1} << 20) - 64;

  static std::shared_ptr<HeartbeatSession> Open(const std::string& address, Transport& transport,
                                                base::Executor& executor);

  /// A call of Heartbeat, by the stream. kInvalidArgument for one that is not UTF-8 or too large.
  void Send(const CallRequest& call, Transport::Reply done);
  bool is_closed() const { return closed_; }
  /// Lets go of the stream, which shares this session, without a word to those who wait.
  void Abandon() { stream_.reset(); }

  void OnWritten() override;
  void OnAnswers(v1::HeartbeatsResponse answers) override;
  void OnClosed(absl::Status why) override;

 private:
  struct Unanswered {
    Transport::Reply done;
    base::TimerId timer;
  };

  explicit HeartbeatSession(base::Executor& executor) : executor_(executor) {}

  void WriteNext();
  void HandleAnswers(const v1::HeartbeatsResponse& answers);
  /// Nothing when it has ended already.
  void End(uint64_t number, absl::StatusOr<std::string> outcome);
  void HandleClosed(const absl::Status& why);

  base::Executor& executor_;
  std::unique_ptr<HeartbeatStream> stream_;
  // By number.
  std::map<uint64_t, Unanswered> unanswered_;
  std::map<uint64_t, v1::NumberedHeartbeat> waiting_;  ///< To be written; each is unanswered.
  uint64_t last_number_ = 0;
  bool writing_ = false;
  bool write_posted_ = false;
  bool closed_ = false;
};

/// The heartbeat streams of one client, one for each server that it asks.
/// Confined to the client's executor. Lives inside its ClientCore.
class HeartbeatSessions {
 public:
  HeartbeatSessions(Transport& transport, base::Executor& executor)
      : transport_(transport), executor_(executor) {}
  HeartbeatSessions(const HeartbeatSessions&) = delete;
  HeartbeatSessions& operator=(const HeartbeatSessions&) = delete;
  /// Abandons the sessions: the executor runs no more by now.
  ~HeartbeatSessions();

  /// As Transport::Call, by the stream to the address, which is opened when there is none. `done`
  /// runs later, on the executor.
  void Send(const CallRequest& call, Transport::Reply done);

 private:
  Transport& transport_;
  base::Executor& executor_;
  absl::flat_hash_map<std::string, std::shared_ptr<HeartbeatSession>> sessions_;
};

}  // namespace talosmq::client
