#pragma once

#include "client/client_core.h"
#include "client/fetch_session.h"
#include "client/fetched_chunk.h"
#include "talosmq/consumer.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::client {

/// What the polling thread wants of one partition.
struct PartitionWish {
  PartitionId partition;
  Offset offset;
  uint64_t generation = 0;  ///< Comes back with each chunk; grows with every wish.
};

/// Keeps the assigned partitions of one topic subscribed at their leaders, one stream per broker,
/// puts what comes into a sink, and tells when the topic has grown or gone.
///
/// Invariants:
/// 1. Chunks of a partition and generation come in order and without gap, across reconnects and
///    changes of leader: after each it is known where the next subscription begins.
/// 2. What the servers may send and what lies in the sink is about prefetch_bytes: they get as
///    credit what was taken out of it, and what was thrown away.
/// 3. A partition that has stopped (an error chunk was pushed) stays so until the next wish.
/// Confined to the client's executor, but for partition_count(), which is thread-safe. Shared by
/// the facade and the callbacks under way; lives inside its ClientCore, shares its sink.
class FetchCore final : public FetchListener, public std::enable_shared_from_this<FetchCore> {
 public:
  FetchCore(ClientCore& core, ConsumerOptions options, TopicImagePtr topic,
            std::shared_ptr<ChunkSink> sink);

  /// As last heard.
  int32_t partition_count() const { return partition_count_.load(std::memory_order_acquire); }

  /// From now on the topic is looked at every metadata_age_max.
  void Start();
  /// What somebody else has heard of the topic.
  void Learn(const TopicImagePtr& image) { OnImage(image); }
  /// Reads these, and no others.
  void Assign(const std::vector<PartitionWish>& wishes);
  /// Also adds a partition.
  void Seek(const PartitionWish& wish);
  void Remove(PartitionId partition);
  /// Fetches no more of the partition until the next wish.
  void Halt(PartitionId partition, uint64_t generation);
  /// The polling thread took, or threw away, so many bytes of the partition.
  void ReturnCredit(PartitionId partition, int64_t bytes);
  /// Fetches no more, and tells nothing more.
  void Close();

  void OnFetched(FetchSession& session, std::vector<FetchedPartition> partitions) override;
  void OnClosed(FetchSession& session, const absl::Status& why) override;

 private:
  static constexpr int64_t kCreditBytesMin = int64_t{64} << 10;

  struct Partition {
    uint64_t generation = 0;
    Offset next_offset;
    uint64_t subscription = 0;  ///< 0: none.
    std::shared_ptr<FetchSession> session;
    int failures = 0;          ///< Since the last chunk.
    bool has_stopped = false;  ///< Until the next wish.
  };

  void Subscribe(PartitionId id, Partition& partition);
  void Unsubscribe(Partition& partition);
  /// Sessions by address, opened when there is none.
  std::shared_ptr<FetchSession> SessionFor(const std::string& address);
  void OnChunk(PartitionId id, Partition& partition, FetchedPartition fetched);
  void OnError(PartitionId id, Partition& partition, const FetchedPartition& fetched);
  /// Goes on behind offsets that the server refuses.
  void Skip(PartitionId id, Partition& partition, const FetchedPartition& fetched, Offset next);
  /// After a pause that grows with the failures, the last of which was `why`.
  void SubscribeLater(PartitionId id, Partition& partition, const absl::Status& why);
  void RefreshThenSubscribe(PartitionId id, uint64_t generation);
  /// Moves to a position that has to be asked for.
  void Reset(PartitionId id, Partition& partition, Position to);
  void MoveTo(PartitionId id, Partition& partition, Offset offset);
  void Stop(PartitionId id, Partition& partition, const absl::Status& why);
  void ScheduleRefresh();
  /// Keeps what was heard of the topic, unless it is older than what is known.
  void OnImage(const absl::StatusOr<TopicImagePtr>& image);
  void FailTopic(const absl::Status& why);
  /// Null when a later wish has replaced that generation.
  Partition* Find(PartitionId id, uint64_t generation);

  ClientCore& core_;
  const ConsumerOptions options_;
  TopicImagePtr topic_;
  std::atomic<int32_t> partition_count_;
  const std::shared_ptr<ChunkSink> sink_;
  std::map<PartitionId, Partition> partitions_;
  std::map<uint64_t, PartitionId> by_subscription_;
  std::map<std::string, std::shared_ptr<FetchSession>> sessions_;
  uint64_t last_subscription_ = 0;
  absl::Status failed_;  ///< Not OK: the topic is gone.
  bool closed_ = false;
};

}  // namespace talosmq::client
