#include "metadata/image_builder.h"

#include "base/status.h"
#include "base/text.h"
#include "metadata/codec.h"
#include "metadata/keys.h"

#include <utility>

namespace talosmq::metadata {
namespace {

absl::Status AddAssignments(const KeyValue& entry, TopicImage& topic) {
  TALOSMQ_ASSIGN_OR_RETURN(AssignmentChunk chunk, Decode<AssignmentChunk>(entry));
  for (std::vector<BrokerId>& replicas : chunk.replicas) {
    PartitionImage partition;
    partition.leader = replicas.front();
    partition.in_sync = replicas;
    partition.replicas = std::move(replicas);
    topic.partitions.push_back(std::move(partition));
  }
  return absl::OkStatus();
}

absl::Status ApplyState(const KeyValue& entry, TopicImage& topic) {
  const auto number = static_cast<size_t>(ParseKey(entry.key).number);
  if (number >= topic.partitions.size()) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(PartitionStateRecord state, Decode<PartitionStateRecord>(entry));
  PartitionImage& partition = topic.partitions[number];
  partition.leader = state.leader;
  partition.epoch = state.epoch;
  partition.in_sync = std::move(state.in_sync);
  partition.skipped = std::move(state.skipped);
  partition.revision = entry.mod_revision;
  return absl::OkStatus();
}

}  // namespace

void ImageBuilder::Apply(const WatchEvent::Change& change) {
  const ParsedKey key = ParseKey(change.key);
  if (key.kind == KeyKind::kForeign) return;
  if (!key.topic.is_nil()) changed_.insert(key.topic);
  if (change.entry) {
    entries_.insert_or_assign(change.key, *change.entry);
  } else {
    entries_.erase(change.key);
  }
}

absl::StatusOr<std::shared_ptr<const ClusterImage>> ImageBuilder::Build(Revision revision) {
  auto image = std::make_shared<ClusterImage>();
  image->revision = revision;
  const auto cluster = entries_.find(kClusterKey);
  if (cluster != entries_.end()) {
    TALOSMQ_ASSIGN_OR_RETURN(const ClusterRecord record, Decode<ClusterRecord>(cluster->second));
    image->cluster_id = record.cluster_id;
  }
  TALOSMQ_RETURN_IF_ERROR(BuildBrokers(*image));
  TALOSMQ_RETURN_IF_ERROR(BuildDeletions(*image));
  TALOSMQ_RETURN_IF_ERROR(BuildUsers(*image));
  TALOSMQ_RETURN_IF_ERROR(BuildTopics(*image));
  changed_.clear();
  last_ = image;
  return last_;
}

absl::Status ImageBuilder::BuildTopics(ClusterImage& image) {
  for (const KeyValue* name : Entries(kTopicNamesPrefix)) {
    TALOSMQ_ASSIGN_OR_RETURN(const TopicNameRecord named, Decode<TopicNameRecord>(*name));
    TALOSMQ_ASSIGN_OR_RETURN(const auto topic, TakeTopic(named.id));
    image.topics_by_name.emplace(topic->name, topic);
    image.topics_by_id.emplace(topic->id, topic);
  }
  for (const auto& [id, deletion] : image.deletions) {
    if (image.topics_by_id.contains(id)) continue;
    TALOSMQ_ASSIGN_OR_RETURN(const auto topic, TakeTopic(id));
    image.topics_by_id.emplace(id, topic);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const TopicImage>> ImageBuilder::TakeTopic(const TopicId& id) const {
  std::shared_ptr<const TopicImage> topic = last_->FindTopic(id);
  if (topic != nullptr && !changed_.contains(id)) return topic;
  return BuildTopic(id);
}

absl::StatusOr<std::shared_ptr<const TopicImage>> ImageBuilder::BuildTopic(
    const TopicId& id) const {
  const auto entry = entries_.find(TopicKey(id));
  if (entry == entries_.end()) {
    return MakeError(Reason::kCorruptData, base::StrCat("metadata: a name refers to topic id ",
                                                        id.ToString(), ", which is missing"));
  }
  TALOSMQ_ASSIGN_OR_RETURN(TopicRecord record, Decode<TopicRecord>(entry->second));
  auto topic = std::make_shared<TopicImage>();
  topic->id = id;
  topic->name = std::move(record.name);
  topic->state = record.state;
  topic->created = record.created;
  topic->is_internal = record.is_internal;
  topic->configs = std::move(record.configs);
  topic->revision = entry->second.mod_revision;
  for (const KeyValue* chunk : Entries(AssignmentsOf(id))) {
    TALOSMQ_RETURN_IF_ERROR(AddAssignments(*chunk, *topic));
  }
  const auto partitions = static_cast<size_t>(record.partitions);
  // While a deleted topic is removed its assignments go before its name does.
  if (topic->partitions.size() < partitions && record.state == TopicState::kActive) {
    return MakeError(Reason::kCorruptData,
                     base::StrCat("metadata: topic '", topic->name, "': expected assignments of ",
                                  partitions, " partitions, found ", topic->partitions.size()));
  }
  // Entries beyond the count are of a growth that is not visible yet.
  if (topic->partitions.size() > partitions) topic->partitions.resize(partitions);
  for (const KeyValue* state : Entries(PartitionStatesOf(id))) {
    TALOSMQ_RETURN_IF_ERROR(ApplyState(*state, *topic));
  }
  return topic;
}

absl::Status ImageBuilder::BuildBrokers(ClusterImage& image) const {
  for (const KeyValue* entry : Entries(kBrokersPrefix)) {
    TALOSMQ_ASSIGN_OR_RETURN(BrokerRecord record, Decode<BrokerRecord>(*entry));
    const BrokerId id(ParseKey(entry->key).number);
    image.brokers.emplace(id, BrokerImage{.id = id,
                                          .grpc_address = std::move(record.grpc_address),
                                          .boot_counter = record.boot_counter});
  }
  return absl::OkStatus();
}

absl::Status ImageBuilder::BuildDeletions(ClusterImage& image) const {
  for (const KeyValue* entry : Entries(kDeletionsPrefix)) {
    TALOSMQ_ASSIGN_OR_RETURN(DeletionRecord record, Decode<DeletionRecord>(*entry));
    const TopicId id = ParseKey(entry->key).topic;
    image.deletions.emplace(id, DeletionImage{.id = id,
                                              .name = std::move(record.name),
                                              .partitions = record.partitions,
                                              .brokers = std::move(record.brokers)});
  }
  return absl::OkStatus();
}

absl::Status ImageBuilder::BuildUsers(ClusterImage& image) const {
  for (const KeyValue* entry : Entries(kUsersPrefix)) {
    const std::string name = ParseKey(entry->key).name;
    const auto known = last_->users.find(name);
    if (known != last_->users.end() && known->second->revision == entry->mod_revision) {
      image.users.emplace(name, known->second);
      continue;
    }
    TALOSMQ_ASSIGN_OR_RETURN(UserRecord record, Decode<UserRecord>(*entry));
    image.users.emplace(name, std::make_shared<const UserImage>(
                                  UserImage{.name = name,
                                            .created = record.created,
                                            .scram_sha_256 = std::move(record.scram_sha_256),
                                            .scram_sha_512 = std::move(record.scram_sha_512),
                                            .revision = entry->mod_revision}));
  }
  const auto secret = entries_.find(kLoginSecretKey);
  if (secret == entries_.end()) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(LoginSecretRecord record, Decode<LoginSecretRecord>(secret->second));
  image.login_secret = std::move(record.secret);
  return absl::OkStatus();
}

std::vector<const KeyValue*> ImageBuilder::Entries(std::string_view prefix) const {
  std::vector<const KeyValue*> found;
  for (auto entry = entries_.lower_bound(prefix);
       entry != entries_.end() && entry->first.starts_with(prefix); ++entry) {
    found.push_back(&entry->second);
  }
  return found;
}

}  // namespace talosmq::metadata
