#include "controller/topic_controller.h"

#include "base/text.h"
#include "controller/store_steps.h"
#include "controller/topic_creation.h"
#include "controller/topic_growth.h"
#include "controller/topic_removal.h"
#include "metadata/keys.h"
#include "metadata/topic_name.h"
#include "talosmq/error.h"

#include <set>
#include <utility>

namespace talosmq::controller {

using metadata::CommitResult;
using metadata::KeyValue;
using metadata::Revision;

namespace {

using RevisionCallback = base::Callback<absl::StatusOr<Revision>>;

absl::Status CheckNewTopic(const NewTopic& topic) {
  if (absl::Status status = metadata::CheckTopicName(topic.name); !status.ok()) return status;
  if (*topic.partitions < 1 || *topic.partitions > kPartitionsMax) {
    return MakeError(Reason::kInvalidPartitions,
                     base::StrCat("topic '", topic.name, "': expected 1 to ", kPartitionsMax,
                                  " partitions, found ", *topic.partitions));
  }
  if (*topic.replicas < 1) {
    return MakeError(Reason::kInvalidReplicas,
                     base::StrCat("topic '", topic.name, "': expected at least 1 replica, found ",
                                  *topic.replicas));
  }
  return metadata::ParseTopicConfig(topic.configs, *topic.replicas).status();
}

absl::Status CheckActive(const StoredTopic& topic) {
  if (topic.record.state == metadata::TopicState::kActive) return absl::OkStatus();
  return MakeError(Reason::kTopicDeleting,
                   base::StrCat("topic '", topic.record.name, "' is being deleted"));
}

void Alter(const StoreSteps& steps, std::string name, ConfigChange change, RevisionCallback done) {
  steps.FindTopic(name, [steps, name, change = std::move(change),
                         done = std::move(done)](absl::StatusOr<StoredTopic> topic) mutable {
    if (!topic.ok()) return done(topic.status());
    if (absl::Status status = CheckActive(*topic); !status.ok()) return done(status);
    absl::StatusOr<metadata::ConfigMap> configs =
        ChangeConfigs(topic->record.configs, topic->record.replicas, change);
    if (!configs.ok()) return done(configs.status());
    topic->record.configs = *std::move(configs);
    const std::string key = metadata::TopicKey(topic->id);
    steps.CommitResolved(
        {.compares = {{.key = key, .mod_revision = topic->revision}},
         .operations = {{.key = key, .value = metadata::Encode(topic->record)}}},
        [steps, name = std::move(name), change = std::move(change),
         done = std::move(done)](const absl::StatusOr<CommitResult>& result) mutable {
          if (!result.ok()) return done(result.status());
          if (!result->succeeded) {
            return Alter(steps, std::move(name), std::move(change), std::move(done));
          }
          done(result->revision);
        });
  });
}

/// Every broker that holds a replica of a partition in `chunks`.
absl::StatusOr<std::vector<BrokerId>> BrokersOf(const std::vector<KeyValue>& chunks) {
  std::set<BrokerId> brokers;
  for (const KeyValue& entry : chunks) {
    const auto chunk = metadata::Decode<metadata::AssignmentChunk>(entry);
    if (!chunk.ok()) return chunk.status();
    for (const std::vector<BrokerId>& replicas : chunk->replicas) {
      brokers.insert(replicas.begin(), replicas.end());
    }
  }
  return std::vector<BrokerId>(brokers.begin(), brokers.end());
}

void DeleteTopic(const StoreSteps& steps, std::string name, RevisionCallback done);

/// Marks `topic` as DELETING and stores the deletion record, in one transaction.
void MarkDeleted(const StoreSteps& steps, StoredTopic topic, std::vector<BrokerId> brokers,
                 RevisionCallback done) {
  topic.record.state = metadata::TopicState::kDeleting;
  const metadata::DeletionRecord deletion{.name = topic.record.name,
                                          .partitions = topic.record.partitions,
                                          .brokers = std::move(brokers)};
  const std::string key = metadata::TopicKey(topic.id);
  metadata::Transaction transaction{
      .compares = {{.key = key, .mod_revision = topic.revision}},
      .operations = {
          {.key = key, .value = metadata::Encode(topic.record)},
          {.key = metadata::DeletionKey(topic.id), .value = metadata::Encode(deletion)}}};
  steps.CommitResolved(std::move(transaction),
                       [steps, name = topic.record.name, done = std::move(done)](
                           const absl::StatusOr<CommitResult>& result) mutable {
                         if (!result.ok()) return done(result.status());
                         if (!result->succeeded) return DeleteTopic(steps, name, std::move(done));
                         done(result->revision);
                       });
}

void DeleteTopic(const StoreSteps& steps, std::string name, RevisionCallback done) {
  steps.FindTopic(std::move(name), [steps, done = std::move(done)](
                                       absl::StatusOr<StoredTopic> topic) mutable {
    if (!topic.ok()) return done(topic.status());
    if (topic->record.state == metadata::TopicState::kDeleting) return done(topic->revision);
    std::string chunks = metadata::AssignmentsOf(topic->id);
    steps.ListAll(std::move(chunks), [steps, topic = *std::move(topic), done = std::move(done)](
                                         absl::StatusOr<std::vector<KeyValue>> entries) mutable {
      if (!entries.ok()) return done(entries.status());
      absl::StatusOr<std::vector<BrokerId>> brokers = BrokersOf(*entries);
      if (!brokers.ok()) return done(brokers.status());
      MarkDeleted(steps, std::move(topic), *std::move(brokers), std::move(done));
    });
  });
}

}  // namespace

absl::StatusOr<metadata::ConfigMap> ChangeConfigs(metadata::ConfigMap configs, int32_t replicas,
                                                  const ConfigChange& change) {
  switch (change.unnamed) {
    case metadata::UnnamedKeys::kStay:
      break;
    case metadata::UnnamedKeys::kGetDefaults:
      configs.clear();
      break;
  }
  for (const std::string& key : change.unset) {
    if (change.set.contains(key)) {
      return MakeError(Reason::kInvalidConfig,
                       base::StrCat("topic configuration ", base::Printable(key, 100),
                                    ": expected to be set or unset, found both"));
    }
    if (absl::Status status = metadata::CheckTopicConfigKey(key); !status.ok()) return status;
    configs.erase(key);
  }
  for (const auto& [key, value] : change.set) configs[key] = value;
  if (absl::Status status = metadata::ParseTopicConfig(configs, replicas).status(); !status.ok()) {
    return status;
  }
  return configs;
}

absl::Status CheckGrowth(std::string_view name, int32_t present, int32_t total) {
  if (total > present && total <= kPartitionsMax) return absl::OkStatus();
  return MakeError(Reason::kInvalidPartitions,
                   base::StrCat("topic '", name, "' has ", present,
                                " partitions: expected a total above it and at most ",
                                kPartitionsMax, ", found ", total));
}

void TopicController::Recover(base::Callback<absl::Status> done) {
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post([steps, done = std::move(done)]() mutable {
    SweepAssignments(steps, [steps, done = std::move(done)](const absl::Status& status) mutable {
      if (!status.ok()) return done(status);
      FinishAllRemovals(steps, std::move(done));
    });
  });
}

absl::StatusOr<NewTopic> TopicController::Complete(NewTopic topic) const {
  topic.partitions = topic.partitions.value_or(options_.partitions_default);
  topic.replicas = topic.replicas.value_or(options_.replicas_default);
  if (absl::Status status = CheckNewTopic(topic); !status.ok()) return status;
  return topic;
}

void TopicController::Create(NewTopic topic, base::Callback<absl::StatusOr<CreatedTopic>> done) {
  absl::StatusOr<NewTopic> complete = Complete(std::move(topic));
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post([dependencies = dependencies_, steps, complete = std::move(complete),
                               done = std::move(done)]() mutable {
    if (!complete.ok()) return done(complete.status());
    CreateTopic(steps, base::NewTopicId(dependencies.random), dependencies.clock.Now(),
                *std::move(complete), std::move(done));
  });
}

void TopicController::AlterConfig(std::string name, ConfigChange change, RevisionCallback done) {
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post([steps, name = std::move(name), change = std::move(change),
                               done = std::move(done)]() mutable {
    Alter(steps, std::move(name), std::move(change), std::move(done));
  });
}

void TopicController::AddPartitions(std::string name, int32_t total, RevisionCallback done) {
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post(
      [steps, name = std::move(name), total, done = std::move(done)]() mutable {
        GrowTopic(steps, std::move(name), total, std::move(done));
      });
}

void TopicController::Delete(std::string name, RevisionCallback done) {
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post([steps, name = std::move(name), done = std::move(done)]() mutable {
    DeleteTopic(steps, std::move(name), std::move(done));
  });
}

void TopicController::ConfirmDeleted(TopicId id, BrokerId broker,
                                     base::Callback<absl::Status> done) {
  const StoreSteps steps(dependencies_.store, dependencies_.executor);
  dependencies_.executor.Post([steps, id, broker, done = std::move(done)]() mutable {
    ReportBrokerDone(steps, id, broker, std::move(done));
  });
}

}  // namespace talosmq::controller
