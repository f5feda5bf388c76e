#pragma once

#include "broker/cluster.h"

#include <utility>
#include <vector>

namespace talosmq::server {

/// The broker's ClusterService with warnings that only the server knows of, told with every report.
/// Thread-safe. Borrows the service.
class ClusterNotices final : public broker::ClusterService {
 public:
  ClusterNotices(broker::ClusterService& cluster, std::vector<broker::HealthProblem> warnings)
      : cluster_(cluster), warnings_(std::move(warnings)) {}

  broker::ServerInfo GetServerInfo() const override { return cluster_.GetServerInfo(); }

  void CheckHealth(base::Callback<broker::HealthReport> done) override {
    cluster_.CheckHealth(
        [warnings = warnings_, done = std::move(done)](broker::HealthReport report) mutable {
          report.warnings.insert(report.warnings.end(), warnings.begin(), warnings.end());
          done(std::move(report));
        });
  }

  void DeleteOrphan(const TopicPartition& log, base::Callback<absl::Status> done) override {
    cluster_.DeleteOrphan(log, std::move(done));
  }

 private:
  broker::ClusterService& cluster_;
  const std::vector<broker::HealthProblem> warnings_;
};

}  // namespace talosmq::server
