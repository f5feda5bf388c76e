#include "base/text.h"
#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/topic_lookup.h"

#include "absl/container/flat_hash_set.h"

#include <algorithm>
#include <map>
#include <utility>

// Committed offsets of groups.
namespace talosmq::kafka {
namespace {

constexpr int16_t kFirstVersionWithManyGroups = 8;
constexpr int16_t kFirstVersionWithError = 2;

using CommitPtr = ExchangePtr<OffsetCommitRequest, OffsetCommitResponse>;
using FetchPtr = ExchangePtr<OffsetFetchRequest, OffsetFetchResponse>;

/// Whoever is no member commits only while there are none; else, as in Kafka, it is an unknown one.
int16_t CommitErrorOf(const absl::Status& status) {
  if (ReasonOf(status) == Reason::kGroupNotEmpty) return Wire(ErrorCode::kUnknownMemberId);
  return WireGroupErrorOf(status);
}

std::optional<group::Committer> CommitterOf(const OffsetCommitRequest& request) {
  const bool is_nobody =
      request.generation_id < 0 && request.member_id.empty() && !request.group_instance_id;
  if (is_nobody) return std::nullopt;
  return group::Committer{.member_id = std::string(request.member_id),
                          .generation = request.generation_id,
                          .instance_id = std::string(request.group_instance_id.value_or(""))};
}

/// Partitions by the names of their topics, each once.
using AskedPartitions = std::map<std::string_view, std::vector<int32_t>>;

/// Fills the answers of one group; both versions of the answer have topics and partitions alike.
template <typename Topic>
void Fill(const metadata::ClusterImage& image, const group::Offsets& offsets,
          const std::optional<AskedPartitions>& asked, std::vector<Topic>& topics) {
  const auto add = [](Topic& topic, int32_t partition, const group::CommittedOffset* committed) {
    auto& answer = topic.partitions.emplace_back();
    answer.partition = partition;
    answer.committed_offset = committed == nullptr ? -1 : committed->offset.value();
    answer.committed_leader_epoch = committed == nullptr ? -1 : committed->epoch.value();
    answer.metadata = committed == nullptr ? std::string() : committed->metadata;
  };
  if (!asked) {
    std::map<std::string, Topic> by_name;
    for (const auto& [partition, committed] : offsets) {
      const auto topic = image.FindTopic(partition.topic_id);
      if (topic == nullptr) continue;
      Topic& answer = by_name[topic->name];
      answer.name = topic->name;
      add(answer, partition.partition.value(), &committed);
    }
    for (auto& [name, topic] : by_name) topics.push_back(std::move(topic));
    return;
  }
  for (const auto& [name, partitions] : *asked) {
    Topic& answer = topics.emplace_back();
    answer.name = name;
    const auto topic = FindTopic(image, name);
    for (const int32_t partition : partitions) {
      const auto committed =
          topic.ok() ? offsets.find({(*topic)->id, PartitionId(partition)}) : offsets.end();
      add(answer, partition, committed == offsets.end() ? nullptr : &committed->second);
    }
  }
}

/// A partition named again takes 4 bytes of a request, and up to 4 KiB of an answer.
template <typename Topics>
std::optional<AskedPartitions> Asked(const std::optional<Topics>& topics) {
  if (!topics) return std::nullopt;
  AskedPartitions asked;
  for (const auto& topic : *topics) {
    std::vector<int32_t>& partitions = asked[topic.name];
    partitions.insert(partitions.end(), topic.partitions.begin(), topic.partitions.end());
  }
  for (auto& [name, partitions] : asked) {
    std::ranges::sort(partitions);
    partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  }
  return asked;
}

using DeletePtr = ExchangePtr<OffsetDeleteRequest, OffsetDeleteResponse>;

/// Of a partition whose offset stays since members read the topic.
int16_t ForgetErrorOf(const absl::Status& status) {
  if (ReasonOf(status) == Reason::kGroupNotEmpty) return Wire(ErrorCode::kGroupSubscribedToTopic);
  return WireGroupErrorOf(status);
}

}  // namespace

void Handle(const Services& services, CommitPtr exchange) {
  const OffsetCommitRequest& request = exchange->request;
  const auto image = services.topics.image();
  group::CommitRequest commit{.group = std::string(request.group_id),
                              .committer = CommitterOf(request)};
  // Where the outcome of each offset belongs.
  std::vector<std::pair<size_t, size_t>> places;
  for (size_t i = 0; i < request.topics.size(); ++i) {
    const auto& topic = request.topics[i];
    auto& answered = exchange->response.topics.emplace_back();
    answered.name = topic.name;
    for (size_t j = 0; j < topic.partitions.size(); ++j) {
      const auto& partition = topic.partitions[j];
      const auto target = FindPartition(*image, topic.name, partition.partition);
      answered.partitions.push_back(
          {.partition = partition.partition, .error_code = Wire(ErrorCode::kUnknownServerError)});
      int16_t& error_code = answered.partitions.back().error_code;
      const std::string_view metadata = partition.committed_metadata.value_or("");
      if (!target.ok()) {
        error_code = WireErrorOf(target.status());
        continue;
      }
      if (metadata.size() > group::kMetadataBytesMax) {
        error_code = Wire(ErrorCode::kOffsetMetadataTooLarge);
        continue;
      }
      places.emplace_back(i, j);
      commit.offsets.push_back({.partition = *target,
                                .value = {.offset = Offset(partition.committed_offset),
                                          .epoch = LeaderEpoch(partition.committed_leader_epoch),
                                          .metadata = std::string(metadata)}});
    }
  }
  if (places.empty()) return;
  services.groups.Commit(
      std::move(commit), [exchange = std::move(exchange), places = std::move(places)](
                             const std::vector<absl::Status>& outcomes) mutable {
        for (size_t k = 0; k < places.size(); ++k) {
          const auto [i, j] = places[k];
          exchange->response.topics[i].partitions[j].error_code = CommitErrorOf(outcomes[k]);
        }
        exchange.reset();
      });
}

void Handle(const Services& services, FetchPtr exchange) {
  const OffsetFetchRequest& request = exchange->request;
  if (exchange->version() < kFirstVersionWithManyGroups) {
    services.groups.FetchOffsets({.group = std::string(request.group_id)},
                                 [exchange = std::move(exchange), image = services.topics.image()](
                                     const absl::StatusOr<group::Offsets>& offsets) mutable {
                                   OffsetFetchResponse& response = exchange->response;
                                   const int16_t code = WireGroupErrorOf(offsets.status());
                                   Fill(*image, offsets.ok() ? *offsets : group::Offsets(),
                                        Asked(exchange->request.topics), response.topics);
                                   if (exchange->version() >= kFirstVersionWithError)
                                     response.error_code = code;
                                   for (auto& topic : response.topics) {
                                     for (auto& partition : topic.partitions)
                                       partition.error_code = code;
                                   }
                                   exchange.reset();
                                 });
    return;
  }
  // A group named again takes a few bytes of a request, and many times that of an answer.
  absl::flat_hash_set<std::string_view> names;
  std::vector<size_t> places;  // In the request, of the groups of the answer.
  for (size_t i = 0; i < request.groups.size(); ++i) {
    const auto& group = request.groups[i];
    if (!names.insert(group.group_id).second) continue;
    places.push_back(i);
    exchange->response.groups.push_back({.group_id = std::string(group.group_id),
                                         .topics = {},
                                         .error_code = Wire(ErrorCode::kUnknownServerError)});
  }
  for (size_t i = 0; i < places.size(); ++i) {
    services.groups.FetchOffsets(
        {.group = exchange->response.groups[i].group_id},
        [exchange = exchange, i, asked = places[i],
         image = services.topics.image()](const absl::StatusOr<group::Offsets>& offsets) mutable {
          auto& answer = exchange->response.groups[i];
          answer.error_code = WireGroupErrorOf(offsets.status());
          if (offsets.ok()) {
            Fill(*image, *offsets, Asked(exchange->request.groups[asked].topics), answer.topics);
          }
          exchange.reset();
        });
  }
}

void Handle(const Services& services, DeletePtr exchange) {
  const OffsetDeleteRequest& request = exchange->request;
  const auto image = services.topics.image();
  group::ForgetRequest forget{.group = std::string(request.group_id)};
  // Where the outcome of each partition belongs.
  std::vector<std::pair<size_t, size_t>> places;
  for (size_t i = 0; i < request.topics.size(); ++i) {
    auto& answered = exchange->response.topics.emplace_back();
    answered.name = request.topics[i].name;
    for (const auto& asked : request.topics[i].partitions) {
      const auto target = FindPartition(*image, request.topics[i].name, asked.partition);
      answered.partitions.push_back(
          {.partition = asked.partition, .error_code = WireErrorOf(target.status())});
      if (!target.ok()) continue;
      places.emplace_back(i, answered.partitions.size() - 1);
      forget.partitions.push_back(*target);
    }
  }
  exchange->response.error_code = Wire(ErrorCode::kUnknownServerError);
  services.groups.Forget(
      std::move(forget), [exchange = std::move(exchange), places = std::move(places)](
                             const absl::StatusOr<std::vector<absl::Status>>& outcomes) mutable {
        OffsetDeleteResponse& response = exchange->response;
        response.error_code = WireGroupErrorOf(outcomes.status());
        if (!outcomes.ok()) response.topics.clear();
        for (size_t k = 0; outcomes.ok() && k < places.size(); ++k) {
          const auto [i, j] = places[k];
          response.topics[i].partitions[j].error_code = ForgetErrorOf((*outcomes)[k]);
        }
        exchange.reset();
      });
}

}  // namespace talosmq::kafka
