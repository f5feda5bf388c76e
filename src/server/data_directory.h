#pragma once

#include "base/random.h"
#include "io/file_system.h"
#include "server/node_identity.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::server {

struct ListenerPorts {
  std::string grpc;  ///< HOST:PORT as really listened on.
  std::string http;
  std::vector<std::string> kafka;  ///< In the order of kafka.listen.
};

/// The data directory as a whole: that one server only has it, whose it is, and what it tells
/// others.
///
/// Layout: lock, node.json, listeners.json (while a server runs), failed-starts.json (until a
/// server is ready), reserve (unless the disk is full), kv/ (metadata and log catalogue),
/// topics/<topic id>/<partition>/ (logs).
///
/// Invariants:
/// 1. Nothing in it is deleted because something else is missing (G10): without node.json, but with
///    data, it refuses to start.
/// 2. node.json's boot counter is raised and durable before a start changes anything else.
/// Thread-compatible. Holds the lock until it goes; borrows the file system.
/// Crash: node.json is the old or the new one; a listeners.json that was left is replaced.
class DataDirectory {
 public:
  /// What the metadata store knows of this directory's starts.
  struct StoredBoot {
    std::string cluster_id;
    std::string directory_id;
    int64_t boot_counter = 0;
  };

  /// Makes the directory when there is none. kConflict, naming the lock, when another server has
  /// it; kCorruptData, naming what is missing or wrong.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(io::FileSystem& file_system,
                                                             std::string path,
                                                             const std::string& metadata_store,
                                                             base::Random& random);

  const std::string& path() const { return path_; }
  std::string kv_path() const { return path_ + "/kv"; }
  const NodeIdentity& identity() const { return identity_; }

  enum class OldCopy { kRefuse, kAccept };
  /// Whether the metadata store and this directory belong together; `stored` is empty when the
  /// store knows nothing yet. kCorruptData when they do not, or when node.json is the older one (a
  /// copy was put back) and that is to be refused.
  absl::Status CheckAgainst(const std::optional<StoredBoot>& stored, OldCopy old_copy) const;
  /// Raises the boot counter above both and marks the directory as in use.
  absl::Status BeginBoot(int64_t stored_boot_counter);

  /// What the metadata store must have at the next start.
  absl::Status NoteStore(const kv::StoreMark& mark);
  /// Says of an error of the metadata store that this directory is one with data.
  absl::Status DescribeStoreError(const absl::Status& status) const;

  absl::Status WriteListeners(const ListenerPorts& ports);
  /// Everything is closed: removes listeners.json and marks the stop as clean.
  absl::Status MarkCleanStop();

 private:
  DataDirectory(io::FileSystem& file_system, std::string path)
      : file_system_(file_system), path_(std::move(path)) {}

  absl::Status ReadOrMakeIdentity(const std::string& metadata_store, base::Random& random);
  /// kCorruptData, beginning with `missing`, when one of the folders is there.
  absl::Status CheckAbsent(const std::vector<const char*>& folders, std::string_view missing) const;
  absl::Status RemoveListeners();
  std::string node_path() const { return path_ + "/node.json"; }
  std::string listeners_path() const { return path_ + "/listeners.json"; }

  io::FileSystem& file_system_;
  const std::string path_;
  std::unique_ptr<io::FileLock> lock_;
  NodeIdentity identity_;
};

}  // namespace talosmq::server
