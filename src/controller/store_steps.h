#pragma once

#include "base/executor.h"
#include "metadata/codec.h"
#include "metadata/metadata_store.h"
#include "metadata/records.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <string>
#include <vector>

namespace talosmq::controller {

/// A topic as the store has it now.
struct StoredTopic {
  TopicId id;
  metadata::TopicRecord record;
  metadata::Revision revision = metadata::Revision::kNone;       ///< Of the topic's key.
  metadata::Revision name_revision = metadata::Revision::kNone;  ///< Of the name's key.
};

/// The steps on the metadata store that the life of a topic is made of; each may be repeated.
/// Thread-safe as far as the store is; callbacks run on `executor`. Copyable; borrows both.
class StoreSteps {
 public:
  StoreSteps(metadata::MetadataStore& store, base::Executor& executor)
      : store_(&store), executor_(&executor) {}

  /// kUnknownTopic when the name is not visible.
  void FindTopic(std::string name, base::Callback<absl::StatusOr<StoredTopic>> done) const;
  /// All keys with `prefix`, however many.
  void ListAll(std::string prefix,
               base::Callback<absl::StatusOr<std::vector<metadata::KeyValue>>> done) const;
  /// Commits the operations in as many transactions as the store's limits ask for, one after
  /// another; each holds only while `guard` does. kConflict when it does not.
  void CommitAll(metadata::Compare guard, std::vector<metadata::Operation> operations,
                 base::Callback<absl::Status> done) const;
  /// Deletes all keys with `prefix`.
  void DeleteAll(std::string prefix, base::Callback<absl::Status> done) const;

  /// One transaction. A lost reply (kMetadataUnavailable) is resolved by reading back the first
  /// operation's key: a value equal to what was to be stored means that it was. So the first
  /// operation must be a put whose value no other writer could store.
  void CommitResolved(metadata::Transaction transaction,
                      base::Callback<absl::StatusOr<metadata::CommitResult>> done) const;

  metadata::MetadataStore& store() const { return *store_; }
  base::Executor& executor() const { return *executor_; }

 private:
  /// A name that led to no topic at revision `missed` was caught in the middle of a removal, unless
  /// it still leads there.
  void FindTopicBut(metadata::Revision missed, std::string name,
                    base::Callback<absl::StatusOr<StoredTopic>> done) const;

  metadata::MetadataStore* store_;
  base::Executor* executor_;
};

}  // namespace talosmq::controller
