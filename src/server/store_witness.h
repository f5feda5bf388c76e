#pragma once

#include "base/executor.h"
#include "kv/store.h"
#include "server/data_directory.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace talosmq::server {

/// Keeps what node.json says of the metadata store up with the store. A store whose files were cut,
/// replaced or removed may look whole to itself, with writes missing; the mark tells, and the next
/// start is refused instead of forgetting topics.
///
/// Invariant: the mark is of what is durable only, so a crash never leaves a store behind it.
/// Confined to the executor between Start() and Stop(); before and after to the main thread.
/// Borrows everything; destroyed only after Stop().
/// Crash: the mark is that of a second ago or newer.
class StoreWitness {
 public:
  struct Dependencies {
    DataDirectory& directory;
    kv::DiskStore& store;
    base::Executor& executor;  ///< Blocks on the disk.
  };

  static constexpr absl::Duration kInterval = absl::Seconds(1);

  explicit StoreWitness(Dependencies dependencies) : dependencies_(dependencies) {}

  /// Once, now. Blocks on the disk.
  absl::Status Record();
  /// From now on at every interval in which the store has changed.
  void Start();
  /// For the last time. For the main thread: blocks.
  void Stop();

 private:
  /// Record(); a failure is logged once, until it is over. The next time may go better.
  void TryRecord();
  void RecordLater();

  const Dependencies dependencies_;
  bool is_stopping_ = false;
  bool has_failed_ = false;  ///< The last time.
  base::TimerId timer_ = base::TimerId::kNone;
};

}  // namespace talosmq::server
