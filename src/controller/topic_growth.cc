#include "controller/topic_growth.h"

#include "base/text.h"
#include "controller/placement.h"
#include "controller/topic_controller.h"
#include "controller/topic_creation.h"
#include "metadata/keys.h"
#include "talosmq/error.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace talosmq::controller {

using metadata::CommitResult;
using metadata::KeyValue;
using metadata::Revision;

namespace {

/// One growth on its way; kept alive by the callbacks it waits for.
class Growth : public std::enable_shared_from_this<Growth> {
 public:
  Growth(const StoreSteps& steps, std::string name, int32_t total,
         base::Callback<absl::StatusOr<Revision>> done)
      : steps_(steps), name_(std::move(name)), total_(total), done_(std::move(done)) {}

  void Begin() {
    steps_.FindTopic(name_, [self = shared_from_this()](absl::StatusOr<StoredTopic> topic) {
      if (!topic.ok()) return self->done_(topic.status());
      self->topic_ = *std::move(topic);
      if (const absl::Status status = self->Check(); !status.ok()) return self->done_(status);
      self->ReadLastChunk();
    });
  }

 private:
  absl::Status Check() const {
    const metadata::TopicRecord& record = topic_.record;
    if (record.state == metadata::TopicState::kDeleting) {
      return MakeError(Reason::kTopicDeleting,
                       base::StrCat("topic '", name_, "' is being deleted"));
    }
    return CheckGrowth(name_, record.partitions, total_);
  }

  void ReadLastChunk() {
    const int32_t present = topic_.record.partitions;
    const std::string key =
        metadata::AssignmentKey(topic_.id, present / metadata::kChunkPartitions);
    steps_.store().Get(
        key, steps_.executor(),
        [self = shared_from_this(), present](absl::StatusOr<std::optional<KeyValue>> entry) {
          if (!entry.ok()) return self->done_(entry.status());
          metadata::AssignmentChunk chunk;
          if (entry->has_value()) {
            auto decoded = metadata::Decode<metadata::AssignmentChunk>(**entry);
            if (!decoded.ok()) return self->done_(decoded.status());
            chunk = *std::move(decoded);
          }
          // Entries beyond the visible count are from a growth that was interrupted.
          chunk.replicas.resize(static_cast<size_t>(present % metadata::kChunkPartitions));
          self->Place(std::move(chunk));
        });
  }

  void Place(metadata::AssignmentChunk chunk) {
    ListBrokers(steps_, [self = shared_from_this(), chunk = std::move(chunk)](
                            absl::StatusOr<std::vector<BrokerId>> brokers) mutable {
      if (!brokers.ok()) return self->done_(brokers.status());
      const int32_t present = self->topic_.record.partitions;
      const auto placed =
          PlaceReplicas({.brokers = *std::move(brokers),
                         .first_partition = present,
                         .partitions = self->total_ - present,
                         .replicas = self->topic_.record.replicas,
                         .start = static_cast<uint8_t>(self->topic_.id.bytes().back())});
      if (!placed.ok()) return self->done_(placed.status());
      self->Store(PutAssignments(self->topic_.id, present, *placed, std::move(chunk)));
    });
  }

  metadata::Compare Unchanged() const {
    return {.key = metadata::TopicKey(topic_.id), .mod_revision = topic_.revision};
  }

  /// Assignments and visible count change together, for of two growths at once the one that comes
  /// second must not leave fewer entries than the first has made visible. What is more than one
  /// transaction takes goes ahead: those chunks are full, whichever growth has stored them.
  void Store(std::vector<metadata::Operation> assignments) {
    constexpr size_t kTogetherMax = metadata::kTransactionPartsMax - 1;
    const size_t ahead =
        assignments.size() > kTogetherMax ? assignments.size() - kTogetherMax : size_t{0};
    const auto rest = assignments.begin() + static_cast<std::ptrdiff_t>(ahead);
    std::vector<metadata::Operation> together(rest, assignments.end());
    assignments.erase(rest, assignments.end());
    steps_.CommitAll(Unchanged(), std::move(assignments),
                     [self = shared_from_this(),
                      together = std::move(together)](const absl::Status& status) mutable {
                       if (ReasonOf(status) == Reason::kConflict) return self->Begin();
                       if (!status.ok()) return self->done_(status);
                       self->MakeVisible(std::move(together));
                     });
  }

  void MakeVisible(std::vector<metadata::Operation> assignments) {
    topic_.record.partitions = total_;
    metadata::Transaction transaction{.compares = {Unchanged()},
                                      .operations = {{.key = metadata::TopicKey(topic_.id),
                                                      .value = metadata::Encode(topic_.record)}}};
    for (metadata::Operation& put : assignments) transaction.operations.push_back(std::move(put));
    steps_.CommitResolved(std::move(transaction),
                          [self = shared_from_this()](const absl::StatusOr<CommitResult>& result) {
                            if (!result.ok()) return self->done_(result.status());
                            if (!result->succeeded) return self->Begin();
                            self->done_(result->revision);
                          });
  }

  const StoreSteps steps_;
  const std::string name_;
  const int32_t total_;
  StoredTopic topic_;
  base::Callback<absl::StatusOr<Revision>> done_;
};

}  // namespace

void GrowTopic(const StoreSteps& steps, std::string name, int32_t total,
               base::Callback<absl::StatusOr<Revision>> done) {
  std::make_shared<Growth>(steps, std::move(name), total, std::move(done))->Begin();
}

}  // namespace talosmq::controller
