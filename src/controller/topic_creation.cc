#include "controller/topic_creation.h"

#include "base/text.h"
#include "controller/placement.h"
#include "metadata/keys.h"
#include "metadata/topic_name.h"
#include "talosmq/error.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace talosmq::controller {

using metadata::CommitResult;
using metadata::KeyValue;

namespace {

/// One creation on its way; kept alive by the callbacks it waits for.
class Creation : public std::enable_shared_from_this<Creation> {
 public:
  Creation(const StoreSteps& steps, TopicId id, absl::Time now, NewTopic topic,
           base::Callback<absl::StatusOr<CreatedTopic>> done)
      : steps_(steps), id_(id), now_(now), topic_(std::move(topic)), done_(std::move(done)) {}

  void Begin() {
    FindName([self = shared_from_this()](const absl::Status& taken) {
      if (!taken.ok()) return self->done_(taken);
      self->Place();
    });
  }

 private:
  /// Whether the name is free: nobody has it, or a topic that is being deleted.
  void FindName(base::Callback<absl::Status> then) {
    steps_.FindTopic(topic_.name, [self = shared_from_this(),
                                   then = std::move(then)](const auto& found) mutable {
      self->name_revision_ = found.ok() ? found->name_revision : metadata::Revision::kNone;
      if (!found.ok()) {
        const bool is_free = ReasonOf(found.status()) == Reason::kUnknownTopic;
        return then(is_free ? absl::OkStatus() : found.status());
      }
      if (found->record.state == metadata::TopicState::kDeleting) return then(absl::OkStatus());
      then(MakeError(Reason::kTopicExists,
                     base::StrCat("topic '", self->topic_.name, "' exists already")));
    });
  }

  void Place() {
    ListBrokers(steps_, [self = shared_from_this()](absl::StatusOr<std::vector<BrokerId>> brokers) {
      if (!brokers.ok()) return self->done_(brokers.status());
      const auto placed = PlaceReplicas({.brokers = *std::move(brokers),
                                         .partitions = *self->topic_.partitions,
                                         .replicas = *self->topic_.replicas,
                                         .start = static_cast<uint8_t>(self->id_.bytes().back())});
      if (!placed.ok()) return self->done_(placed.status());
      self->StoreAssignments(*placed);
    });
  }

  void StoreAssignments(const std::vector<std::vector<BrokerId>>& placed) {
    // The guard: nobody else writes under an id that was made a moment ago.
    steps_.CommitAll({.key = metadata::TopicKey(id_)}, PutAssignments(id_, 0, placed, {}),
                     [self = shared_from_this()](const absl::Status& status) {
                       if (!status.ok()) return self->Abandon(status);
                       self->MakeVisible();
                     });
  }

  void MakeVisible() {
    const metadata::TopicRecord record{.name = topic_.name,
                                       .created = now_,
                                       .is_internal = metadata::IsInternalName(topic_.name),
                                       .partitions = *topic_.partitions,
                                       .replicas = *topic_.replicas,
                                       .configs = topic_.configs};
    const std::string name_key = metadata::TopicNameKey(topic_.name);
    steps_.CommitResolved(
        {.compares = {{.key = name_key, .mod_revision = name_revision_}},
         .operations = {{.key = name_key,
                         .value = metadata::Encode(metadata::TopicNameRecord{id_})},
                        {.key = metadata::TopicKey(id_), .value = metadata::Encode(record)}}},
        [self = shared_from_this()](const absl::StatusOr<CommitResult>& result) {
          // Nobody knows whether it is visible; if it is not, Recover() sweeps at the next start.
          if (ReasonOf(result.status()) == Reason::kMetadataUnavailable) {
            return self->done_(result.status());
          }
          if (!result.ok()) return self->Abandon(result.status());
          if (!result->succeeded) return self->FindNameAgain();
          self->done_(CreatedTopic{.id = self->id_, .revision = result->revision});
        });
  }

  /// Somebody else has taken the name, or the topic that had it has just gone.
  void FindNameAgain() {
    FindName([self = shared_from_this()](const absl::Status& taken) {
      if (!taken.ok()) return self->Abandon(taken);
      self->MakeVisible();
    });
  }

  /// Sweeps what was stored, as Recover() would at the next start, and answers with `reason`.
  void Abandon(const absl::Status& reason) {
    steps_.DeleteAll(metadata::AssignmentsOf(id_),
                     [self = shared_from_this(), reason](const absl::Status& /*swept*/) {
                       self->done_(reason);
                     });
  }

  const StoreSteps steps_;
  const TopicId id_;
  const absl::Time now_;
  const NewTopic topic_;
  metadata::Revision name_revision_ = metadata::Revision::kNone;  ///< Of the name while it is free.
  base::Callback<absl::StatusOr<CreatedTopic>> done_;
};

}  // namespace

void CreateTopic(const StoreSteps& steps, TopicId id, absl::Time now, NewTopic topic,
                 base::Callback<absl::StatusOr<CreatedTopic>> done) {
  std::make_shared<Creation>(steps, id, now, std::move(topic), std::move(done))->Begin();
}

void ListBrokers(const StoreSteps& steps,
                 base::Callback<absl::StatusOr<std::vector<BrokerId>>> done) {
  steps.ListAll(std::string(metadata::kBrokersPrefix),
                [done = std::move(done)](absl::StatusOr<std::vector<KeyValue>> entries) mutable {
                  if (!entries.ok()) return done(entries.status());
                  std::vector<BrokerId> brokers;
                  for (const KeyValue& entry : *entries) {
                    const metadata::ParsedKey key = metadata::ParseKey(entry.key);
                    if (key.kind == metadata::KeyKind::kBroker) brokers.emplace_back(key.number);
                  }
                  done(std::move(brokers));
                });
}

std::vector<metadata::Operation> PutAssignments(const TopicId& id, int32_t first,
                                                const std::vector<std::vector<BrokerId>>& added,
                                                metadata::AssignmentChunk begun) {
  std::vector<metadata::Operation> puts;
  for (size_t i = 0; i < added.size(); ++i) {
    begun.replicas.push_back(added[i]);
    const int32_t next = first + static_cast<int32_t>(i) + 1;
    if (next % metadata::kChunkPartitions != 0 && i + 1 < added.size()) continue;
    const int32_t chunk = (next - 1) / metadata::kChunkPartitions;
    puts.push_back({.key = metadata::AssignmentKey(id, chunk), .value = metadata::Encode(begun)});
    begun.replicas.clear();
  }
  return puts;
}

}  // namespace talosmq::controller
