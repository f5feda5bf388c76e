#pragma once

#include "metadata/metadata_store.h"
#include "metadata/records.h"

#include "absl/status/statusor.h"

#include <string>

namespace talosmq::metadata {

// Values of the metadata store: a version byte, then a protobuf message of
// proto/talosmq/internal/metadata.proto. Decoding fails with kCorruptData, naming the key and what
// is wrong, or with kUnsupportedVersion for a version byte from the future.

std::string Encode(const ClusterRecord& record);
std::string Encode(const BrokerRecord& record);
std::string Encode(const TopicNameRecord& record);
std::string Encode(const TopicRecord& record);
std::string Encode(const AssignmentChunk& record);
std::string Encode(const PartitionStateRecord& record);
std::string Encode(const DeletionRecord& record);
std::string Encode(const ProducerIdsRecord& record);
std::string Encode(const UserRecord& record);
std::string Encode(const LoginSecretRecord& record);

/// Decode<TopicRecord>(entry): for each of the types above.
template <typename Record>
absl::StatusOr<Record> Decode(const KeyValue& entry);

template <>
absl::StatusOr<ClusterRecord> Decode(const KeyValue& entry);
template <>
absl::StatusOr<BrokerRecord> Decode(const KeyValue& entry);
template <>
absl::StatusOr<TopicNameRecord> Decode(const KeyValue& entry);
template <>
absl::StatusOr<TopicRecord> Decode(const KeyValue& entry);
template <>
absl::StatusOr<AssignmentChunk> Decode(const KeyValue& entry);
template <>
absl::StatusOr<PartitionStateRecord> Decode(const KeyValue& entry);
template <>
absl::StatusOr<DeletionRecord> Decode(const KeyValue& entry);
template <>
absl::StatusOr<ProducerIdsRecord> Decode(const KeyValue& entry);
template <>
absl::StatusOr<UserRecord> Decode(const KeyValue& entry);
template <>
absl::StatusOr<LoginSecretRecord> Decode(const KeyValue& entry);

}  // namespace talosmq::metadata
