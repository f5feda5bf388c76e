#pragma once

#include "kv/store.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::storage {

/// Which logs this data directory has: one key "log/<topic id>/<partition>" for each log that ever
/// acknowledged an append, with a value of one version byte; docs/formats/catalogue.md.
///
/// Invariant: a log's key is durable before its first append is acknowledged and after its folder
/// is, so a key without a folder means loss, never a log that had not begun.
/// Thread-safe; its calls block on the disk.
class Catalogue {
 public:
  explicit Catalogue(kv::Store& store) : store_(store) {}

  /// Enters all of them at once, synced.
  absl::Status Add(const std::vector<TopicPartition>& logs);
  /// Takes one out, synced; a log that is not there is fine.
  absl::Status Remove(const TopicPartition& log);
  /// kUnsupportedVersion for a value of the future.
  absl::StatusOr<bool> Contains(const TopicPartition& log) const;

 private:
  kv::Store& store_;
};

inline constexpr uint8_t kCatalogueVersion = 1;

/// The key of a log.
std::string CatalogueKey(const TopicPartition& log);

}  // namespace talosmq::storage
