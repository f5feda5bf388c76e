#pragma once

#include "talosmq/ids.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::metadata {

// Keys of the metadata store. Ids are UUID text and numbers have leading zeros, so that a person
// can read them and key order is number order. docs/formats/metadata.md has the whole schema.

inline constexpr std::string_view kClusterKey = "cluster";
inline constexpr std::string_view kProducerIdsKey = "producers/next";
inline constexpr std::string_view kBrokersPrefix = "brokers/";
inline constexpr std::string_view kTopicNamesPrefix = "names/";
inline constexpr std::string_view kTopicsPrefix = "topics/";
inline constexpr std::string_view kAssignmentsPrefix = "assignments/";
inline constexpr std::string_view kPartitionStatesPrefix = "partitions/";
inline constexpr std::string_view kUsersPrefix = "users/";
inline constexpr std::string_view kLoginSecretKey = "login_secret";
inline constexpr std::string_view kDeletionsPrefix = "deleted/";
/// Everything below belongs to the dump jobs.
inline constexpr std::string_view kDumpPrefix = "dump/";

/// Partitions in one assignment chunk.
inline constexpr int32_t kChunkPartitions = 100;

std::string BrokerKey(BrokerId broker);
std::string TopicNameKey(std::string_view name);
std::string TopicKey(const TopicId& id);
/// All chunks of a topic.
std::string AssignmentsOf(const TopicId& id);
/// Partitions [chunk * kChunkPartitions, (chunk + 1) * kChunkPartitions).
std::string AssignmentKey(const TopicId& id, int32_t chunk);
/// All partition states of a topic.
std::string PartitionStatesOf(const TopicId& id);
std::string PartitionStateKey(const TopicPartition& partition);
std::string DeletionKey(const TopicId& id);
std::string UserKey(std::string_view name);

enum class KeyKind {
  kCluster,
  kBroker,
  kTopicName,
  kTopic,
  kAssignment,
  kPartitionState,
  kDeletion,
  kUser,
  kLoginSecret,
  kForeign,  ///< Not of this schema, or not in its form.
};

struct ParsedKey {
  KeyKind kind = KeyKind::kForeign;
  TopicId topic = {};     ///< Of kTopic, kAssignment, kPartitionState and kDeletion.
  int32_t number = 0;     ///< Broker, chunk or partition.
  std::string name = {};  ///< Of kTopicName and kUser.
};

ParsedKey ParseKey(std::string_view key);

}  // namespace talosmq::metadata
