#pragma once

#include "io/file_system.h"
#include "kv/store.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::server {

/// Who a data directory is; the content of node.json in it.
struct NodeIdentity {
  std::string cluster_id;
  BrokerId broker;
  std::string directory_id;    ///< Of this very directory: another one has another.
  std::string metadata_store;  ///< As configured when the directory was made.
  /// Starts of this directory. Raised here before it is raised in the metadata store, so it is
  /// never below the store's; a lower one is an older copy.
  int64_t boot_counter = 0;
  bool is_clean = true;  ///< The last stop closed everything.
  /// What the metadata store had a second ago or later. One that has less has lost it, or is
  /// another one.
  kv::StoreMark store = {};

  friend bool operator==(const NodeIdentity&, const NodeIdentity&) = default;
};

/// The text of node.json: a JSON object with a format number and a CRC-32C over all other values,
/// since a number that flipped on the disk would be a valid one.
std::string Encode(const NodeIdentity& identity);

/// kCorruptData, naming what is wrong with it; kUnsupportedVersion for a newer format.
absl::StatusOr<NodeIdentity> DecodeNodeIdentity(std::string_view text);

/// Nothing when there is no such file. Errors name the path.
absl::StatusOr<std::optional<NodeIdentity>> LoadNodeIdentity(io::FileSystem& file_system,
                                                             const std::string& path);
/// Atomically, and durable when it returns.
absl::Status SaveNodeIdentity(io::FileSystem& file_system, const std::string& path,
                              const NodeIdentity& identity);

}  // namespace talosmq::server
