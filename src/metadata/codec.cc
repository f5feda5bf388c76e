#include "metadata/codec.h"

#include "base/text.h"
#include "talosmq/error.h"
#include "talosmq/internal/metadata.pb.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>
#include <optional>
#include <utility>

namespace talosmq::metadata {
namespace {

namespace stored = talosmq::internal::v1;

constexpr char kValueVersion = 1;

absl::Status Damaged(const KeyValue& entry, std::string_view what) {
  return MakeError(Reason::kCorruptData,
                   base::StrCat("metadata key ", base::Printable(entry.key, 300), ": ", what));
}

/// The same record gives the same bytes, so that a reply that was lost can be found by its value.
std::string Serialize(const google::protobuf::MessageLite& message) {
  std::string value(1, kValueVersion);
  google::protobuf::io::StringOutputStream stream(&value);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return value;
}

absl::Status Parse(const KeyValue& entry, google::protobuf::MessageLite& message) {
  if (entry.value.empty()) return Damaged(entry, "expected a version byte, found an empty value");
  if (entry.value.front() != kValueVersion) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("metadata key ", base::Printable(entry.key, 300),
                                  ": expected value version ", int{kValueVersion}, ", found ",
                                  int{static_cast<unsigned char>(entry.value.front())}));
  }
  const std::string_view body = std::string_view(entry.value).substr(1);
  if (body.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return Damaged(entry, base::StrCat("expected a ", message.GetTypeName(), ", found ",
                                       body.size(), " bytes that are none"));
  }
  return absl::OkStatus();
}

std::vector<BrokerId> ToBrokers(const google::protobuf::RepeatedField<int32_t>& numbers) {
  std::vector<BrokerId> brokers;
  brokers.reserve(static_cast<size_t>(numbers.size()));
  for (const int32_t number : numbers) brokers.emplace_back(number);
  return brokers;
}

void FromBrokers(const std::vector<BrokerId>& brokers,
                 google::protobuf::RepeatedField<int32_t>& numbers) {
  for (const BrokerId broker : brokers) numbers.Add(broker.value());
}

void FromCredential(const base::ScramCredential& credential, stored::ScramCredential& message) {
  message.set_salt(credential.salt);
  message.set_iterations(credential.iterations);
  message.set_stored_key(credential.stored_key);
  message.set_server_key(credential.server_key);
}

absl::StatusOr<base::ScramCredential> ToCredential(const KeyValue& entry, base::ScramHash hash,
                                                   const stored::ScramCredential& message) {
  const size_t key_bytes = base::ScramKeyBytes(hash);
  if (message.salt().empty() || message.iterations() < base::kScramIterationsMin ||
      message.iterations() > base::kScramIterationsMax ||
      message.stored_key().size() != key_bytes || message.server_key().size() != key_bytes) {
    return Damaged(entry, base::StrCat("expected a salt, ", base::kScramIterationsMin, " to ",
                                       base::kScramIterationsMax, " iterations and keys of ",
                                       key_bytes, " bytes"));
  }
  return base::ScramCredential{.salt = message.salt(),
                               .iterations = message.iterations(),
                               .stored_key = message.stored_key(),
                               .server_key = message.server_key()};
}

}  // namespace

std::string Encode(const ClusterRecord& record) {
  stored::Cluster message;
  message.set_cluster_id(record.cluster_id);
  message.set_created_ms(absl::ToUnixMillis(record.created));
  return Serialize(message);
}

std::string Encode(const BrokerRecord& record) {
  stored::Broker message;
  message.set_grpc_address(record.grpc_address);
  message.set_boot_counter(record.boot_counter);
  message.set_directory_id(record.directory_id);
  return Serialize(message);
}

std::string Encode(const TopicNameRecord& record) {
  stored::TopicName message;
  message.set_topic_id(std::string(record.id.bytes()));
  return Serialize(message);
}

std::string Encode(const TopicRecord& record) {
  stored::Topic message;
  message.set_name(record.name);
  message.set_state(record.state == TopicState::kActive ? stored::Topic::ACTIVE
                                                        : stored::Topic::DELETING);
  message.set_created_ms(absl::ToUnixMillis(record.created));
  message.set_is_internal(record.is_internal);
  message.set_partitions(record.partitions);
  message.set_replicas(record.replicas);
  message.mutable_configs()->insert(record.configs.begin(), record.configs.end());
  return Serialize(message);
}

std::string Encode(const AssignmentChunk& record) {
  stored::AssignmentChunk message;
  for (const std::vector<BrokerId>& replicas : record.replicas) {
    FromBrokers(replicas, *message.add_partitions()->mutable_brokers());
  }
  return Serialize(message);
}

std::string Encode(const PartitionStateRecord& record) {
  stored::PartitionState message;
  message.set_leader(record.leader.value());
  message.set_epoch(record.epoch.value());
  FromBrokers(record.in_sync, *message.mutable_in_sync());
  for (const CorruptRange& range : record.skipped) {
    stored::OffsetRange& skipped = *message.add_skipped();
    skipped.set_first(range.first.value());
    skipped.set_next(range.next.value());
  }
  return Serialize(message);
}

std::string Encode(const DeletionRecord& record) {
  stored::Deletion message;
  message.set_name(record.name);
  message.set_partitions(record.partitions);
  FromBrokers(record.brokers, *message.mutable_brokers());
  return Serialize(message);
}

std::string Encode(const ProducerIdsRecord& record) {
  stored::ProducerIds message;
  message.set_next_id(record.next_id);
  return Serialize(message);
}

std::string Encode(const UserRecord& record) {
  stored::User message;
  message.set_created_ms(absl::ToUnixMillis(record.created));
  FromCredential(record.scram_sha_256, *message.mutable_scram_sha_256());
  FromCredential(record.scram_sha_512, *message.mutable_scram_sha_512());
  return Serialize(message);
}

std::string Encode(const LoginSecretRecord& record) {
  stored::LoginSecret message;
  message.set_secret(record.secret);
  return Serialize(message);
}

template <>
absl::StatusOr<ClusterRecord> Decode(const KeyValue& entry) {
  stored::Cluster message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  return ClusterRecord{.cluster_id = message.cluster_id(),
                       .created = absl::FromUnixMillis(message.created_ms())};
}

template <>
absl::StatusOr<BrokerRecord> Decode(const KeyValue& entry) {
  stored::Broker message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  return BrokerRecord{.grpc_address = message.grpc_address(),
                      .boot_counter = message.boot_counter(),
                      .directory_id = message.directory_id()};
}

template <>
absl::StatusOr<TopicNameRecord> Decode(const KeyValue& entry) {
  stored::TopicName message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  const std::optional<TopicId> id = TopicId::FromBytes(message.topic_id());
  if (!id) {
    return Damaged(
        entry, base::StrCat("expected a topic id of 16 bytes, found ", message.topic_id().size()));
  }
  return TopicNameRecord{.id = *id};
}

template <>
absl::StatusOr<TopicRecord> Decode(const KeyValue& entry) {
  stored::Topic message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  if (message.partitions() < 1 || message.replicas() < 1) {
    return Damaged(entry, base::StrCat("expected at least one partition and replica, found ",
                                       message.partitions(), " and ", message.replicas()));
  }
  if (!stored::Topic::State_IsValid(message.state())) {
    return Damaged(
        entry, base::StrCat("expected a topic state, found ", static_cast<int>(message.state())));
  }
  return TopicRecord{.name = message.name(),
                     .state = message.state() == stored::Topic::ACTIVE ? TopicState::kActive
                                                                       : TopicState::kDeleting,
                     .created = absl::FromUnixMillis(message.created_ms()),
                     .is_internal = message.is_internal(),
                     .partitions = message.partitions(),
                     .replicas = message.replicas(),
                     .configs = {message.configs().begin(), message.configs().end()}};
}

template <>
absl::StatusOr<AssignmentChunk> Decode(const KeyValue& entry) {
  stored::AssignmentChunk message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  AssignmentChunk chunk;
  chunk.replicas.reserve(static_cast<size_t>(message.partitions_size()));
  for (const stored::Replicas& replicas : message.partitions()) {
    if (replicas.brokers().empty()) return Damaged(entry, "a partition has no replica");
    chunk.replicas.push_back(ToBrokers(replicas.brokers()));
  }
  return chunk;
}

template <>
absl::StatusOr<PartitionStateRecord> Decode(const KeyValue& entry) {
  stored::PartitionState message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  PartitionStateRecord record{.leader = BrokerId(message.leader()),
                              .epoch = LeaderEpoch(message.epoch()),
                              .in_sync = ToBrokers(message.in_sync())};
  for (const stored::OffsetRange& range : message.skipped()) {
    const Offset end = record.skipped.empty() ? Offset(-1) : record.skipped.back().next;
    if (Offset(range.first()) <= end || range.next() <= range.first()) {
      return Damaged(entry, base::StrCat("expected a range of offsets above ", end.value(),
                                         ", found ", range.first(), " to ", range.next()));
    }
    record.skipped.push_back({.first = Offset(range.first()), .next = Offset(range.next())});
  }
  return record;
}

template <>
absl::StatusOr<DeletionRecord> Decode(const KeyValue& entry) {
  stored::Deletion message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  return DeletionRecord{.name = message.name(),
                        .partitions = message.partitions(),
                        .brokers = ToBrokers(message.brokers())};
}

template <>
absl::StatusOr<ProducerIdsRecord> Decode(const KeyValue& entry) {
  stored::ProducerIds message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  if (message.next_id() < 0) {
    return Damaged(entry,
                   base::StrCat("expected a next id of 0 or more, found ", message.next_id()));
  }
  return ProducerIdsRecord{.next_id = message.next_id()};
}

template <>
absl::StatusOr<UserRecord> Decode(const KeyValue& entry) {
  stored::User message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  auto sha_256 = ToCredential(entry, base::ScramHash::kSha256, message.scram_sha_256());
  if (!sha_256.ok()) return sha_256.status();
  auto sha_512 = ToCredential(entry, base::ScramHash::kSha512, message.scram_sha_512());
  if (!sha_512.ok()) return sha_512.status();
  return UserRecord{.created = absl::FromUnixMillis(message.created_ms()),
                    .scram_sha_256 = *std::move(sha_256),
                    .scram_sha_512 = *std::move(sha_512)};
}

template <>
absl::StatusOr<LoginSecretRecord> Decode(const KeyValue& entry) {
  stored::LoginSecret message;
  if (absl::Status status = Parse(entry, message); !status.ok()) return status;
  if (message.secret().empty()) return Damaged(entry, "expected a secret, found none");
  return LoginSecretRecord{.secret = message.secret()};
}

}  // namespace talosmq::metadata
