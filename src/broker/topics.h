#pragma once

#include "base/executor.h"
#include "metadata/cluster_image.h"
#include "metadata/topic_config.h"
#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::broker {

struct TopicCreation {
  std::string name;
  std::optional<int32_t> partitions = {};  ///< Default 8; 1 to 10,000.
  std::optional<int32_t> replicas = {};    ///< Default 1 with the embedded store.
  std::map<std::string, std::string> configs = {};
};

struct TopicAlteration {
  std::string name;
  std::map<std::string, std::string> set = {};
  std::vector<std::string> unset = {};
  metadata::UnnamedKeys unnamed = metadata::UnnamedKeys::kStay;
};

struct PartitionDescription {
  PartitionId partition;
  absl::Status status;  ///< Not OK: this partition could not answer; the offsets are void.
  BrokerId leader;
  LeaderEpoch epoch;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> in_sync;
  std::vector<CorruptRange> skipped;  ///< What SkipCorrupt() has decided, ascending.
  Offset log_start;
  Offset high_watermark;
  Offset log_end;
  int64_t size_bytes = 0;      ///< Of the batches that can be read.
  int64_t lifetime_bytes = 0;  ///< Of every batch ever appended, deleted ones too.
};

struct ConfigEntry {
  std::string key;
  std::string value;
  std::string default_value;  ///< Empty: there is none.
  bool is_default = false;
};

struct TopicDescription {
  std::shared_ptr<const metadata::TopicImage> topic;
  std::vector<ConfigEntry> configs;  ///< All keys with the value in force, in key order.
  std::vector<PartitionDescription> partitions;
};

/// Topic administration. Same threading rules as MessageService. A change answers once this
/// broker's own image shows it. One that has not begun by its `deadline` (by the monotonic clock)
/// is answered with kDeadlineExceeded and never begins; one that finds the queue full is answered
/// with kOverloaded.
class TopicService {
 public:
  virtual ~TopicService() = default;

  virtual void Create(
      TopicCreation creation, absl::Duration deadline,
      base::Callback<absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>> done) = 0;
  virtual void Alter(TopicAlteration alteration, absl::Duration deadline,
                     base::Callback<absl::Status> done) = 0;
  /// kInvalidPartitions unless `total` is above the present count.
  virtual void AddPartitions(std::string name, int32_t total, absl::Duration deadline,
                             base::Callback<absl::Status> done) = 0;
  /// Answers once the deletion is durable; files go behind that.
  virtual void Delete(std::string name, absl::Duration deadline,
                      base::Callback<absl::Status> done) = 0;
  /// An operator's decision: whoever reads from the damage below `to` goes on at `to`. Answers with
  /// the offsets that are passed over, once that is durable; else as Partition::FindDamageBelow.
  virtual void SkipCorrupt(std::string name, PartitionId partition, Offset to,
                           absl::Duration deadline,
                           base::Callback<absl::StatusOr<CorruptRange>> done) = 0;
  virtual void Describe(std::string name,
                        base::Callback<absl::StatusOr<TopicDescription>> done) = 0;

  // What the calls above would say now, by the newest image and in their words; nothing changes.

  /// With its defaults filled in.
  virtual absl::StatusOr<TopicCreation> CheckCreate(TopicCreation creation) const = 0;
  virtual absl::Status CheckAlter(const TopicAlteration& alteration) const = 0;
  virtual absl::Status CheckAddPartitions(const std::string& name, int32_t total) const = 0;

  /// Names, ids, leaders: what SDKs poll and `list` shows.
  virtual std::shared_ptr<const metadata::ClusterImage> image() const = 0;
};

}  // namespace talosmq::broker
