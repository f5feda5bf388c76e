#pragma once

#include "client/client_core.h"
#include "client/fetch_core.h"
#include "client/fetched_chunk.h"
#include "client/push_lane.h"

#include <cstdint>
#include <map>
#include <memory>

namespace talosmq::client {

/// Deals what a FetchCore brings to the lanes of a push consumer, and fetches no more of a
/// partition while its lane is full.
///
/// Invariant: a lane holds at most lane_bytes and one chunk. Its partition is fetched when it holds
/// fewer, or once it has come down to half of that.
/// Confined to the client's executor. Shared by the facade and the callbacks under way; lives
/// inside its ClientCore.
class PushCore final : public ChunkSink, public std::enable_shared_from_this<PushCore> {
 public:
  /// `lane_bytes` as PushConsumerOptions::partition_bytes.
  static std::shared_ptr<PushCore> Create(ClientCore& core, ConsumerOptions options,
                                          int64_t lane_bytes, TopicImagePtr topic);

  /// Thread-safe.
  int32_t partition_count() const { return fetcher_->partition_count(); }

  void Start() { fetcher_->Start(); }
  /// See FetchCore.
  void Learn(const TopicImagePtr& image) { fetcher_->Learn(image); }
  void Add(PartitionId partition, Offset from, std::shared_ptr<PushLane> lane);
  void Remove(PartitionId partition);
  /// The lane has come down to half of its bytes.
  void OnLow(PartitionId partition);
  /// The lane takes no more.
  void OnEnded(PartitionId partition);
  void Close();

  void Push(FetchedChunk chunk) override;
  /// What lies in the lanes is bounded by lane_bytes, not by the servers' credit.
  int64_t bytes() const override { return 0; }

 private:
  struct Fed {
    std::shared_ptr<PushLane> lane;
    Offset next_offset;
    uint64_t generation = 0;
    bool is_held = false;  ///< Not fetched, for the lane is full.
  };

  explicit PushCore(int64_t lane_bytes) : lane_bytes_(lane_bytes) {}
  void Fetch(PartitionId partition, Fed& fed);

  const int64_t lane_bytes_;
  std::shared_ptr<FetchCore> fetcher_;
  std::map<PartitionId, Fed> lanes_;
  uint64_t last_generation_ = 0;
};

}  // namespace talosmq::client
