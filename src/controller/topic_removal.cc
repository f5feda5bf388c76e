#include "controller/topic_removal.h"

#include "base/log.h"
#include "metadata/codec.h"
#include "metadata/keys.h"
#include "metadata/records.h"

#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace talosmq::controller {

using metadata::CommitResult;
using metadata::KeyValue;

namespace {

using Done = base::Callback<absl::Status>;
using Ids = std::vector<TopicId>;

/// Removes the last keys of a topic together, if its deletion record is still `deletion`. The name
/// is among them unless another topic has it by now.
void RemoveLastKeys(const StoreSteps& steps, TopicId topic, const KeyValue& deletion,
                    const metadata::DeletionRecord& record, Done done) {
  metadata::Transaction transaction;
  transaction.compares = {{.key = deletion.key, .mod_revision = deletion.mod_revision}};
  transaction.operations = {{.key = metadata::TopicKey(topic)}, {.key = deletion.key}};
  steps.store().Get(metadata::TopicNameKey(record.name), steps.executor(),
                    [steps, topic, transaction = std::move(transaction), done = std::move(done)](
                        const absl::StatusOr<std::optional<KeyValue>>& name) mutable {
                      if (!name.ok()) return done(name.status());
                      if (name->has_value()) {
                        const auto named = metadata::Decode<metadata::TopicNameRecord>(**name);
                        if (!named.ok()) return done(named.status());
                        transaction.compares.push_back(
                            {.key = (*name)->key, .mod_revision = (*name)->mod_revision});
                        if (named->id == topic)
                          transaction.operations.push_back({.key = (*name)->key});
                      }
                      steps.store().Commit(std::move(transaction), steps.executor(),
                                           [steps, topic, done = std::move(done)](
                                               const absl::StatusOr<CommitResult>& result) mutable {
                                             if (!result.ok()) return done(result.status());
                                             if (!result->succeeded) {
                                               return FinishRemoval(steps, topic, std::move(done));
                                             }
                                             base::LogInfo("controller", "topic ", topic.ToString(),
                                                           " is removed");
                                             done(absl::OkStatus());
                                           });
                    });
}

/// Runs `each` for the ids one after another; ends with the first error.
template <typename Each>
void ForEachId(Ids ids, Each each, Done done) {
  if (ids.empty()) return done(absl::OkStatus());
  const TopicId id = ids.back();
  ids.pop_back();
  each(id,
       [ids = std::move(ids), each, done = std::move(done)](const absl::Status& status) mutable {
         if (!status.ok()) return done(status);
         ForEachId(std::move(ids), each, std::move(done));
       });
}

}  // namespace

void ReportBrokerDone(const StoreSteps& steps, TopicId topic, BrokerId broker, Done done) {
  steps.store().Get(
      metadata::DeletionKey(topic), steps.executor(),
      [steps, topic, broker,
       done = std::move(done)](absl::StatusOr<std::optional<KeyValue>> key) mutable {
        if (!key.ok()) return done(key.status());
        if (!key->has_value()) return done(absl::OkStatus());
        auto record = metadata::Decode<metadata::DeletionRecord>(**key);
        if (!record.ok()) return done(record.status());
        std::erase(record->brokers, broker);
        steps.store().Commit(
            {.compares = {{.key = (*key)->key, .mod_revision = (*key)->mod_revision}},
             .operations = {{.key = (*key)->key, .value = metadata::Encode(*record)}}},
            steps.executor(),
            [steps, topic, broker,
             done = std::move(done)](const absl::StatusOr<CommitResult>& result) mutable {
              if (!result.ok()) return done(result.status());
              if (!result->succeeded)
                return ReportBrokerDone(steps, topic, broker, std::move(done));
              FinishRemoval(steps, topic, std::move(done));
            });
      });
}

void FinishRemoval(const StoreSteps& steps, TopicId topic, Done done) {
  steps.store().Get(
      metadata::DeletionKey(topic), steps.executor(),
      [steps, topic, done = std::move(done)](absl::StatusOr<std::optional<KeyValue>> key) mutable {
        if (!key.ok()) return done(key.status());
        if (!key->has_value()) return done(absl::OkStatus());
        auto record = metadata::Decode<metadata::DeletionRecord>(**key);
        if (!record.ok()) return done(record.status());
        if (!record->brokers.empty()) return done(absl::OkStatus());
        auto last = [steps, topic, deletion = **key, record = *std::move(record),
                     done = std::move(done)](const absl::Status& status) mutable {
          if (!status.ok()) return done(status);
          RemoveLastKeys(steps, topic, deletion, record, std::move(done));
        };
        steps.DeleteAll(metadata::PartitionStatesOf(topic),
                        [steps, topic, last = std::move(last)](const absl::Status& status) mutable {
                          if (!status.ok()) return last(status);
                          steps.DeleteAll(metadata::AssignmentsOf(topic), std::move(last));
                        });
      });
}

void FinishAllRemovals(const StoreSteps& steps, Done done) {
  steps.ListAll(
      std::string(metadata::kDeletionsPrefix),
      [steps, done = std::move(done)](absl::StatusOr<std::vector<KeyValue>> keys) mutable {
        if (!keys.ok()) return done(keys.status());
        Ids ids;
        for (const KeyValue& key : *keys) {
          const metadata::ParsedKey parsed = metadata::ParseKey(key.key);
          if (parsed.kind == metadata::KeyKind::kDeletion) ids.push_back(parsed.topic);
        }
        ForEachId(
            std::move(ids),
            [steps](TopicId id, Done next) { FinishRemoval(steps, id, std::move(next)); },
            std::move(done));
      });
}

void SweepAssignments(const StoreSteps& steps, Done done) {
  auto sweep = [steps](TopicId id, Done next) {
    steps.store().Get(metadata::TopicKey(id), steps.executor(),
                      [steps, id, next = std::move(next)](
                          const absl::StatusOr<std::optional<KeyValue>>& topic) mutable {
                        if (!topic.ok()) return next(topic.status());
                        if (topic->has_value()) return next(absl::OkStatus());
                        base::LogInfo("controller", "sweeps assignments of ", id.ToString(),
                                      ", a topic that never became visible");
                        steps.DeleteAll(metadata::AssignmentsOf(id), std::move(next));
                      });
  };
  steps.ListAll(
      std::string(metadata::kAssignmentsPrefix),
      [sweep, done = std::move(done)](absl::StatusOr<std::vector<KeyValue>> keys) mutable {
        if (!keys.ok()) return done(keys.status());
        std::set<TopicId> ids;
        for (const KeyValue& key : *keys) {
          const metadata::ParsedKey parsed = metadata::ParseKey(key.key);
          if (parsed.kind == metadata::KeyKind::kAssignment) ids.insert(parsed.topic);
        }
        ForEachId(Ids(ids.begin(), ids.end()), sweep, std::move(done));
      });
}

}  // namespace talosmq::controller
