#pragma once

#include "talosmq/client.h"
#include "talosmq/ids.h"
#include "talosmq/record.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace talosmq {

/// What became of one record. Valid during the callback only, but for its values.
struct Delivery {
  uint64_t tag = 0;  ///< As given to Send.
  PartitionId partition;
  Offset offset;  ///< Holds when status is OK; -1 with Acks::kNone.
  /// OK: stored as the acks option promises. kMaybeStored: the record may or may not be stored.
  absl::Status status;
};

/// What becomes of a batch whose answer was lost, when the producer is not idempotent.
enum class UnsafeRetries {
  kOff,  ///< Ends as kMaybeStored.
  kOn,   ///< Is sent again: stored at least once, perhaps twice, perhaps behind later ones.
};

/// What an acknowledgement stands for.
enum class Acks {
  kAll,     ///< Durable on every in-sync replica.
  kLeader,  ///< Durable on the leader.
  kNone,    ///< Handed to the network; errors of the broker are not heard of.
};

struct ProducerOptions {
  Acks acks = Acks::kAll;
  /// Sequences checked by the broker: a retry neither duplicates nor reorders (G4). Needs kAll.
  /// Without it only what certainly is not stored is sent again (see unsafe_retries), and may then
  /// come to stand behind later batches, unless in_flight_per_partition is 1.
  bool idempotent = true;
  /// Of no effect with idempotent, whose retries are all safe.
  UnsafeRetries unsafe_retries = UnsafeRetries::kOff;
  /// Chooses the partition of a record that is sent without one, from 0 up to, not including,
  /// `partition_count`; nothing: as without a partitioner. An answer out of that range fails Send
  /// with kUnknownPartition. Runs within Send, on its thread, several at once when several threads
  /// send, and again while Send waits for room; must not call the producer.
  std::function<std::optional<PartitionId>(const Record& record, int32_t partition_count)>
      partitioner = {};
  Compression compression = Compression::kNone;
  /// How long a batch waits for company while the window has room. 0 to 1 min.
  absl::Duration linger = absl::ZeroDuration();
  /// A batch is sent when it holds this much. 1 KiB to 20 MiB.
  int64_t batch_bytes = int64_t{1} << 20;
  /// 0: no bound by count. 0 to 1,000,000.
  int64_t batch_records = 0;
  /// Batches of one partition under way at once. 1 to 5.
  int32_t in_flight_per_partition = 5;
  /// All that is accepted and not yet answered, or still held by the network, as it is before
  /// compression; Send waits when it is full. 1 MiB to 64 GiB, and at least batch_bytes.
  int64_t buffer_bytes = int64_t{256} << 20;
  /// From Send to the delivery; then kDeadlineExceeded when the record certainly is not stored,
  /// kMaybeStored when an attempt had left this process and was not answered. 100 ms to 1 h.
  absl::Duration delivery_timeout = absl::Minutes(2);
  /// Runs on the client's own thread (shared by all that was made from the Client), once for each
  /// batch that was answered; every accepted record gets exactly one Delivery. Must not block and
  /// must not call Flush or Close; it may Send, which then fails with kOverloaded instead of
  /// waiting while the buffer is full.
  std::function<void(std::span<const Delivery>)> on_delivery = {};
  /// The topic was deleted (see Producer). Runs once, on the client's own thread, when everything
  /// that was pending has its Delivery; not once Close has begun. The rules of on_delivery hold.
  std::function<void(const absl::Status& why)> on_topic_deleted = {};
};

/// Sends records to one topic: the one that had the name when the producer was made.
///
/// 1. Keyed records go to the partition that Kafka's Java client would choose (murmur2); records
///    without key stay with one partition for a batch, then move on. Records of one partition keep
///    the order of their Sends (but see `idempotent`).
/// 2. Partitions that are added are used within metadata_age_max; as in Kafka a key may then move
///    to another partition, and its order holds within each.
/// 3. Batches that wait are bounded by buffer_bytes, those under way by in_flight_per_partition.
///    While a partition's window has room, what waits is sent at once (or after linger); while it
///    is full, the next batch grows up to batch_bytes.
/// 4. What certainly is not stored (overload, a new leader, a lost connection before it left) is
///    sent again until delivery_timeout, after pauses that double from 10 ms to 1 s, with jitter;
///    what may be stored, by an idempotent producer only.
/// 5. Should the topic be deleted, everything pending is delivered with kUnknownTopicId and Send
///    refuses with it, for good: a topic made later under the same name is another one.
///
/// Thread-safe. Lives inside its Client. The destructor closes: it waits like Close. What is not
/// yet delivered when the process dies may be stored or lost. After fork() see Client.
class Producer {
 public:
  /// kInvalidArgument naming key, range and value; kUnknownTopic.
  static absl::StatusOr<std::unique_ptr<Producer>> Create(Client& client, std::string topic,
                                                          ProducerOptions options);
  virtual ~Producer() = default;

  /// Copies the record into the batch of its partition. Blocks only while the buffer is full. `tag`
  /// comes back with the Delivery and means nothing to the producer.
  /// An error (kInvalidArgument: too large; kClosed; kUnknownPartition) means: not accepted, and
  /// no Delivery will come.
  virtual absl::Status Send(const Record& record, uint64_t tag) = 0;
  virtual absl::Status Send(PartitionId partition, const Record& record, uint64_t tag) = 0;
  /// Send, but waits no longer than `wait` for room in the buffer: then kOverloaded, and the record
  /// was not accepted. Zero never blocks.
  virtual absl::Status TrySend(const Record& record, uint64_t tag, absl::Duration wait) = 0;
  virtual absl::Status TrySend(PartitionId partition, const Record& record, uint64_t tag,
                               absl::Duration wait) = 0;

  /// Sends what waits and returns when everything accepted before has its Delivery, at the latest
  /// after delivery_timeout. The first delivery error since the last Flush, if there was one.
  virtual absl::Status Flush() = 0;
  /// Flush, then refuse. Idempotent.
  virtual absl::Status Close() = 0;
};

/// Delivery of one record as a callback, a future or a return value, on top of tags: simpler than
/// Producer, and slower when there are millions of them a second. Uses the producer's on_delivery,
/// so it makes the producer itself; all that is said of Producer holds.
/// Thread-safe. Lives inside its Client.
class RecordProducer {
 public:
  using Done = std::function<void(const Delivery&)>;

  /// `options.on_delivery` must be empty.
  static absl::StatusOr<std::unique_ptr<RecordProducer>> Create(Client& client, std::string topic,
                                                                ProducerOptions options);
  virtual ~RecordProducer() = default;
  /// `done` runs once, as on_delivery does, unless an error is returned.
  virtual absl::Status Send(const Record& record, Done done) = 0;
  /// The future's Delivery also tells why a record was not accepted.
  virtual std::future<Delivery> Send(const Record& record) = 0;
  /// The blocking form for one record: returns when it is stored, with status OK, or why it is not,
  /// with the reasons of Send and of Delivery; at the latest delivery_timeout after it was
  /// accepted, for which it waits like Send. Threads that call at once share batches. Not from a
  /// callback.
  virtual absl::StatusOr<Delivery> SendAndWait(const Record& record) = 0;
  virtual absl::StatusOr<Delivery> SendAndWait(PartitionId partition, const Record& record) = 0;
  virtual absl::Status Flush() = 0;
  virtual absl::Status Close() = 0;
};

}  // namespace talosmq
