#pragma once

#include "base/mutex.h"
#include "client/fetched_chunk.h"
#include "client/group_core.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace talosmq::client {

/// What a member was told.
struct GroupEvent {
  enum class Kind { kStarted, kRevoked, kLost, kFailed };
  Kind kind = Kind::kFailed;
  std::vector<GroupStart> started = {};         ///< kStarted.
  std::vector<TopicPartition> partitions = {};  ///< kRevoked, kLost.
  absl::Status why = {};                        ///< kLost, kFailed.
};

struct GroupChunk {
  TopicId topic;
  FetchedChunk chunk;
};

/// Events and chunks of all topics on their way from the executor to the thread that polls. Chunks
/// are bounded by the credit that the servers were given, events by the partitions of the group.
/// Thread-safe.
class GroupQueue {
 public:
  void PushEvent(GroupEvent event);
  void PushChunk(TopicId topic, FetchedChunk chunk);
  std::optional<GroupEvent> TakeEvent();
  std::optional<GroupChunk> TakeChunk();
  /// Waits until there is an event or a chunk.
  void Wait(absl::Duration wait);
  void WaitForEvent(absl::Duration wait);
  /// Of the topic's chunks.
  int64_t bytes(TopicId topic) const;

 private:
  mutable base::Mutex mutex_;
  base::CondVar came_;
  std::deque<GroupEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::deque<GroupChunk> chunks_ ABSL_GUARDED_BY(mutex_);
  std::map<TopicId, int64_t> bytes_ ABSL_GUARDED_BY(mutex_);
};

/// The end of a queue where one topic's chunks go in. Thread-safe.
class TopicSink final : public ChunkSink {
 public:
  TopicSink(TopicId topic, std::shared_ptr<GroupQueue> queue)
      : topic_(topic), queue_(std::move(queue)) {}
  void Push(FetchedChunk chunk) override { queue_->PushChunk(topic_, std::move(chunk)); }
  int64_t bytes() const override { return queue_->bytes(topic_); }

 private:
  const TopicId topic_;
  const std::shared_ptr<GroupQueue> queue_;
};

}  // namespace talosmq::client
