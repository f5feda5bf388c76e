#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/gate.h"
#include "broker/options.h"
#include "broker/partition_table.h"
#include "broker/topics.h"
#include "controller/topic_controller.h"
#include "metadata/image_publisher.h"
#include "metadata/metadata_store.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::broker {

/// TopicService: changes go through the topic controller and answer once the newest image shows
/// them; offsets come from the partitions. Thread-safe. Borrows what it is made of.
class TopicCore final : public TopicService {
 public:
  struct Dependencies {
    PartitionTable& partitions;
    controller::TopicController& controller;
    metadata::ImagePublisher& images;
    metadata::MetadataStore& metadata_store;
    base::Executor& admin_executor;
    base::Gate& admin_gate;
    const base::Clock& clock;
    const BrokerOptions& options;
  };

  explicit TopicCore(Dependencies dependencies) : dependencies_(dependencies) {}

  void Create(
      TopicCreation creation, absl::Duration deadline,
      base::Callback<absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>> done) override;
  void Alter(TopicAlteration alteration, absl::Duration deadline,
             base::Callback<absl::Status> done) override;
  void AddPartitions(std::string name, int32_t total, absl::Duration deadline,
                     base::Callback<absl::Status> done) override;
  void Delete(std::string name, absl::Duration deadline,
              base::Callback<absl::Status> done) override;
  void SkipCorrupt(std::string name, PartitionId partition, Offset to, absl::Duration deadline,
                   base::Callback<absl::StatusOr<CorruptRange>> done) override;
  void Describe(std::string name, base::Callback<absl::StatusOr<TopicDescription>> done) override;
  absl::StatusOr<TopicCreation> CheckCreate(TopicCreation creation) const override;
  absl::Status CheckAlter(const TopicAlteration& alteration) const override;
  absl::Status CheckAddPartitions(const std::string& name, int32_t total) const override;
  std::shared_ptr<const metadata::ClusterImage> image() const override {
    return dependencies_.images.current();
  }

 private:
  /// Of a topic that may be changed.
  absl::StatusOr<std::shared_ptr<const metadata::TopicImage>> FindOwn(
      const std::string& name) const;
  /// Runs `change`, which is given a pass and `done`, on the admin executor unless it is too late.
  template <typename Answer, typename Change>
  void RunChange(std::string_view what, absl::Duration deadline, base::Callback<Answer> done,
                 Change change);
  void FindDamage(const TopicPartition& id, Offset to,
                  base::Callback<absl::StatusOr<CorruptRange>> done);
  /// Makes it durable that readers of the partition pass over `range`.
  void RecordSkipped(const TopicPartition& id, CorruptRange range, base::Gate::Pass pass,
                     base::Callback<absl::StatusOr<CorruptRange>> done);
  void CreateNow(TopicCreation creation, base::Gate::Pass pass,
                 base::Callback<absl::StatusOr<std::shared_ptr<const metadata::TopicImage>>> done);
  /// A callback for the controller that answers `done` once the change is in the image.
  base::Callback<absl::StatusOr<metadata::Revision>> WhenShown(base::Gate::Pass pass,
                                                               base::Callback<absl::Status> done);

  const Dependencies dependencies_;
};

}  // namespace talosmq::broker
