#pragma once

#include "group/coordinator_options.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <string>

namespace talosmq::broker {

/// Bounds of what one partition holds. What comes above them is refused with kOverloaded before
/// any offset is given.
struct PartitionOptions {
  /// Appends that wait for the log to open or the epoch to be claimed. 1 to 1,000,000.
  int64_t pending_appends_max = 10'000;
  /// Appended batches whose durability is awaited. 1 to 1,000,000.
  int64_t parked_acks_max = 100'000;
  /// Fetches that wait for a record. 1 to 1,000,000.
  int64_t waiting_fetches_max = 10'000;
  /// How long a log rests after an error before it is opened again, doubling up to the maximum.
  /// 1 ms to 1 min.
  absl::Duration reopen_backoff_min = absl::Milliseconds(100);
  absl::Duration reopen_backoff_max = absl::Seconds(10);
};

struct BrokerOptions {
  BrokerId id{0};
  std::string version;         ///< Of the program, for GetServerInfo.
  std::string data_directory;  ///< For GetServerInfo; the log store has its own.
  std::string metadata_store;  ///< "rocksdb:..." as configured, for GetServerInfo.
  PartitionOptions partition;
  group::CoordinatorOptions groups;
  /// How often logs are looked at for records whose time is over. 100 ms to 1 h.
  absl::Duration cleanup_interval = absl::Minutes(1);
  /// Bytes of batches that wait in one shard's queue or for their partition. 1 MiB to 64 GiB.
  int64_t shard_append_bytes_max = int64_t{256} << 20;
  /// Who may log in; all of them are in the image. 1 to 10,000.
  int64_t users_max = 10'000;
};

/// kInvalidArgument, naming key, range and value, for the first value out of its range.
absl::Status CheckOptions(const BrokerOptions& options);

}  // namespace talosmq::broker
