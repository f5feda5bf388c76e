#pragma once

#include "base/executor.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstddef>
#include <string>
#include <vector>

namespace talosmq::broker {

struct HealthProblem {
  std::string object;   ///< "partition orders/3", "data directory", "listener grpc".
  std::string problem;  ///< A sentence.
};

/// Of the damaged ranges of one partition, as many are told one by one.
inline constexpr size_t kRangesToldMax = 10;

struct HealthReport {
  std::vector<HealthProblem> problems;  ///< Empty: healthy.
  std::vector<HealthProblem> warnings;  ///< Worth knowing, and no reason to be unhealthy.
  /// Folders on disk that no topic owns (G10): "<topic id>/<partition>".
  std::vector<std::string> orphans;
};

struct ServerInfo {
  std::string version;  ///< "0.1.0".
  std::string cluster_id;
  BrokerId broker;
  int32_t protocol_version_min = 1;  ///< Of talosmq.v1, for the handshake.
  int32_t protocol_version_max = 1;
  std::string data_directory;
  int64_t disk_capacity_bytes = 0;  ///< Of the file system that holds the data directory.
  int64_t disk_free_bytes = 0;      ///< Of that, as it was a moment ago.
  std::string metadata_store;       ///< "rocksdb:..." as configured.
  absl::Duration uptime;
};

/// What is told of the server and its cluster, and what an operator decides. Same threading rules
/// as MessageService.
class ClusterService {
 public:
  virtual ~ClusterService() = default;
  virtual ServerInfo GetServerInfo() const = 0;
  virtual void CheckHealth(base::Callback<HealthReport> done) = 0;
  /// Deletes the folder of a log that no topic owns and its entry in the log catalogue, durably.
  /// kInvalidArgument when a topic owns it, kUnknownPartition when there is no such folder. May be
  /// repeated, also after a deletion that was interrupted.
  virtual void DeleteOrphan(const TopicPartition& log, base::Callback<absl::Status> done) = 0;
};

}  // namespace talosmq::broker
