#include "server/registration.h"

#include "base/status.h"
#include "base/text.h"
#include "metadata/codec.h"
#include "metadata/keys.h"
#include "metadata/records.h"
#include "server/await.h"

#include <optional>
#include <utility>

namespace talosmq::server {
namespace {

using metadata::BrokerRecord;
using metadata::ClusterRecord;
using metadata::KeyValue;

/// The registration as the store has it.
struct Stored {
  std::optional<KeyValue> cluster;
  std::optional<KeyValue> broker;
};

absl::StatusOr<std::optional<KeyValue>> Get(std::string key, metadata::MetadataStore& store,
                                            base::Executor& executor) {
  using Entry = absl::StatusOr<std::optional<KeyValue>>;
  return Await<Entry>([&](auto done) { store.Get(std::move(key), executor, std::move(done)); });
}

absl::Status Commit(metadata::Transaction transaction, metadata::MetadataStore& store,
                    base::Executor& executor) {
  using Result = absl::StatusOr<metadata::CommitResult>;
  const auto result = Await<Result>(
      [&](auto done) { store.Commit(std::move(transaction), executor, std::move(done)); });
  TALOSMQ_RETURN_IF_ERROR(result.status());
  if (result->succeeded) return absl::OkStatus();
  return MakeError(Reason::kConflict, "somebody else changed this broker's registration meanwhile");
}

metadata::Revision RevisionOf(const std::optional<KeyValue>& entry) {
  return entry.has_value() ? entry->mod_revision : metadata::Revision::kNone;
}

absl::StatusOr<std::optional<DataDirectory::StoredBoot>> BootOf(const Stored& stored) {
  if (!stored.cluster.has_value()) return std::optional<DataDirectory::StoredBoot>();
  TALOSMQ_ASSIGN_OR_RETURN(const auto cluster, metadata::Decode<ClusterRecord>(*stored.cluster));
  if (!stored.broker.has_value()) {
    return MakeError(Reason::kCorruptData,
                     base::StrCat("the metadata store knows cluster ", cluster.cluster_id,
                                  ", but not this broker"));
  }
  TALOSMQ_ASSIGN_OR_RETURN(const auto broker, metadata::Decode<BrokerRecord>(*stored.broker));
  return std::optional<DataDirectory::StoredBoot>({.cluster_id = cluster.cluster_id,
                                                   .directory_id = broker.directory_id,
                                                   .boot_counter = broker.boot_counter});
}

metadata::Operation PutBroker(const NodeIdentity& identity, const std::string& address) {
  return {.key = metadata::BrokerKey(identity.broker),
          .value = metadata::Encode(BrokerRecord{.grpc_address = address,
                                                 .boot_counter = identity.boot_counter,
                                                 .directory_id = identity.directory_id})};
}

}  // namespace

absl::Status RegisterNode(DataDirectory& directory, DataDirectory::OldCopy old_copy,
                          const std::string& address, metadata::MetadataStore& store,
                          base::Executor& executor, const base::Clock& clock) {
  Stored stored;
  const std::string cluster_key(metadata::kClusterKey);
  const std::string broker_key = metadata::BrokerKey(directory.identity().broker);
  TALOSMQ_ASSIGN_OR_RETURN(stored.cluster, Get(cluster_key, store, executor));
  TALOSMQ_ASSIGN_OR_RETURN(stored.broker, Get(broker_key, store, executor));
  TALOSMQ_ASSIGN_OR_RETURN(const auto boot, BootOf(stored));
  TALOSMQ_RETURN_IF_ERROR(directory.CheckAgainst(boot, old_copy));
  TALOSMQ_RETURN_IF_ERROR(directory.BeginBoot(boot.has_value() ? boot->boot_counter : 0));
  const NodeIdentity& identity = directory.identity();
  metadata::Transaction transaction{.compares = {{cluster_key, RevisionOf(stored.cluster)},
                                                 {broker_key, RevisionOf(stored.broker)}},
                                    .operations = {PutBroker(identity, address)}};
  if (!stored.cluster.has_value()) {
    const ClusterRecord cluster{.cluster_id = identity.cluster_id, .created = clock.Now()};
    transaction.operations.push_back({.key = cluster_key, .value = metadata::Encode(cluster)});
  }
  return Commit(std::move(transaction), store, executor);
}

absl::Status UpdateAddress(const NodeIdentity& identity, const std::string& address,
                           metadata::MetadataStore& store, base::Executor& executor) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto entry,
                           Get(metadata::BrokerKey(identity.broker), store, executor));
  return Commit({.compares = {{metadata::BrokerKey(identity.broker), RevisionOf(entry)}},
                 .operations = {PutBroker(identity, address)}},
                store, executor);
}

}  // namespace talosmq::server
