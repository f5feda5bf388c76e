#pragma once

#include "talosmq/client.h"
#include "talosmq/consumer.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq {

struct BroadcastConsumerOptions {
  /// Where this instance keeps how far it has come: one file for each instance and topic. Made when
  /// it is missing, in a folder that exists. Must be set.
  std::string positions_file = {};
  /// Of all partitions when there is no file yet; it is written before anything is read. A
  /// partition that the file does not know, or that is added later, is read from its start.
  Position start = AtStart{};
  /// How often Poll keeps what the Poll before it returned. 100 ms to 10 min.
  absl::Duration save_interval = absl::Seconds(10);
  ConsumerOptions consumer = {};
};

/// Reads all partitions of a topic in every instance of an application, and keeps this instance's
/// positions in a local file; nothing is stored on the server.
///
/// 1. Every record is processed at least once by every instance: a position is kept only by a Poll,
///    Save or Close that comes after the Poll that returned what lies before it.
/// 2. The file is replaced as a whole and durably: after a crash it holds what one save has
///    written. One that is damaged, or of another topic, is refused by name and never
///    overwritten.
///
/// Thread-compatible: one thread polls, and calls the rest. Lives inside its Client; the batches it
/// gave live longer. The destructor keeps nothing. After fork() see Client.
class BroadcastConsumer {
 public:
  /// kInvalidArgument naming key, range and value, or that the file belongs to another topic;
  /// kCorruptData: the file is damaged; kUnknownTopic. An I/O error: the file cannot be written.
  static absl::StatusOr<std::unique_ptr<BroadcastConsumer>> Create(
      Client& client, std::string topic, BroadcastConsumerOptions options);
  virtual ~BroadcastConsumer() = default;

  /// See Consumer::Poll. Saves first when it is time; an error of that is told, and the next Poll
  /// saves again.
  virtual absl::StatusOr<PolledRecords> Poll(absl::Duration wait) = 0;
  /// See Consumer::Seek.
  virtual absl::Status Seek(PartitionId partition, Position to) = 0;
  /// Of all partitions, by number.
  virtual std::vector<PartitionPosition> positions() const = 0;

  /// Keeps all that was polled; durable when it returns OK.
  virtual absl::Status Save() = 0;
  /// Saves, and reads no more: later calls fail with kClosed.
  virtual absl::Status Close() = 0;
};

}  // namespace talosmq
