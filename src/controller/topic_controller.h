#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "metadata/metadata_store.h"
#include "metadata/topic_config.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::controller {

inline constexpr int32_t kPartitionsMax = 10'000;

struct NewTopic {
  std::string name;
  std::optional<int32_t> partitions = std::nullopt;
  std::optional<int32_t> replicas = std::nullopt;
  metadata::ConfigMap configs = {};
};

struct CreatedTopic {
  TopicId id;
  metadata::Revision revision;  ///< At which the topic is visible.
};

struct ConfigChange {
  metadata::ConfigMap set = {};
  std::vector<std::string> unset = {};
  metadata::UnnamedKeys unnamed = metadata::UnnamedKeys::kStay;
};

/// The settings that `change` makes of those of a topic; kInvalidConfig when one key cannot be.
/// Setting and unsetting one key at once is refused.
absl::StatusOr<metadata::ConfigMap> ChangeConfigs(metadata::ConfigMap configs, int32_t replicas,
                                                  const ConfigChange& change);
/// kInvalidPartitions unless topic `name`, of `present` partitions, can grow to `total`.
absl::Status CheckGrowth(std::string_view name, int32_t present, int32_t total);

/// Life of topics as transactions on the metadata store: create, configure, grow, delete.
///
/// Invariants:
/// 1. A topic is visible with all its partitions or not at all; the last transaction of a creation
///    makes it so, and what an interrupted one left is swept by Recover().
/// 2. Deletion is durable before it is answered, and data goes only by its record (G10).
/// 3. Each change is a compare-and-set: of two at once, one is repeated over the other's result.
/// 4. A lost reply is resolved by reading back before anything else is decided.
/// Thread-safe: operations run on the executor of the dependencies, where callbacks run too.
/// Borrows its dependencies; operations under way need those, but not this object.
/// Crash: every operation can stop between any two transactions; Recover() tidies up.
class TopicController {
 public:
  struct Options {
    int32_t partitions_default = 8;
    int32_t replicas_default = 1;
  };
  struct Dependencies {
    metadata::MetadataStore& store;
    base::Executor& executor;
    base::Clock& clock;
    base::Random& random;  ///< Confined to the executor.
  };

  TopicController(Options options, Dependencies dependencies)
      : options_(options), dependencies_(dependencies) {}

  /// Removes what interrupted creations left and finishes deletions that wait for no broker any
  /// more. At the start, before anything is created.
  void Recover(base::Callback<absl::Status> done);

  /// `topic` with its defaults filled in, or what Create would refuse whatever topics there are.
  absl::StatusOr<NewTopic> Complete(NewTopic topic) const;
  /// kInvalidTopicName, kInvalidPartitions, kInvalidReplicas, kInvalidConfig, kTopicExists. The
  /// name of a topic that is being deleted is free: the new topic has another id.
  void Create(NewTopic topic, base::Callback<absl::StatusOr<CreatedTopic>> done);

  // The calls below answer with the revision at which the change is visible, or with
  // kUnknownTopic or kTopicDeleting.

  /// As ChangeConfigs; on an error nothing is changed.
  void AlterConfig(std::string name, ConfigChange change,
                   base::Callback<absl::StatusOr<metadata::Revision>> done);
  /// kInvalidPartitions unless `total` is above the present count and within the bound.
  void AddPartitions(std::string name, int32_t total,
                     base::Callback<absl::StatusOr<metadata::Revision>> done);
  /// The topic is DELETING and its deletion record names every broker that may hold data. Repeating
  /// it while the topic has its name still is fine.
  void Delete(std::string name, base::Callback<absl::StatusOr<metadata::Revision>> done);

  /// `broker` has removed all its data of the deleted topic: takes it out of the deletion record.
  /// With the last one the topic's keys go. Repeating it is fine.
  void ConfirmDeleted(TopicId id, BrokerId broker, base::Callback<absl::Status> done);

 private:
  const Options options_;
  const Dependencies dependencies_;
};

}  // namespace talosmq::controller
