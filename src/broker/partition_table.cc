#include "broker/partition_table.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/text.h"
#include "broker/countdown.h"
#include "talosmq/error.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace talosmq::broker {
namespace {

using metadata::ClusterImage;
using metadata::PartitionImage;
using metadata::TopicImage;
using metadata::TopicState;

std::string AddressOf(const ClusterImage& image, BrokerId broker) {
  const auto found = image.brokers.find(broker);
  return found == image.brokers.end() ? std::string() : found->second.grpc_address;
}

std::string NameOf(const TopicImage& topic, PartitionId partition) {
  return base::StrCat(topic.name, "/", partition.value());
}

/// The topic when `id` may be served by `self` as `image` shows it.
absl::StatusOr<std::shared_ptr<const TopicImage>> CheckServed(const ClusterImage& image,
                                                              const TopicPartition& id,
                                                              BrokerId self) {
  std::shared_ptr<const TopicImage> topic = image.FindTopic(id.topic_id);
  if (topic == nullptr) {
    return MakeError(Reason::kUnknownTopicId,
                     base::StrCat("topic id ", id.topic_id.ToString(), ": there is no such topic"));
  }
  if (topic->state == TopicState::kDeleting) {
    return MakeError(Reason::kTopicDeleting,
                     base::StrCat("topic ", topic->name, ": it is being deleted"));
  }
  const auto count = static_cast<int64_t>(topic->partitions.size());
  const int64_t number = id.partition.value();
  if (number < 0 || number >= count) {
    return MakeError(Reason::kUnknownPartition,
                     base::StrCat("topic ", topic->name, ": expected a partition from 0 to ",
                                  count - 1, ", found ", number));
  }
  const BrokerId leader = topic->partitions[static_cast<size_t>(number)].leader;
  if (leader == self) return topic;
  return MakeNotLeader(base::StrCat("partition ", NameOf(*topic, id.partition), ": led by broker ",
                                    leader.value(), ", this is broker ", self.value()),
                       AddressOf(image, leader));
}

Partition::Assignment MakeAssignment(const ClusterImage& image, const TopicSettings& settings,
                                     PartitionId partition) {
  const TopicImage& topic = *settings.topic;
  const PartitionImage& state = topic.partitions[static_cast<size_t>(partition.value())];
  return {.name = NameOf(topic, partition),
          .image = state,
          .leader_address = AddressOf(image, state.leader),
          .log_options = settings.log};
}

absl::Status ShuttingDown() { return MakeError(Reason::kShuttingDown, "the broker is stopping"); }

}  // namespace

PartitionTable::PartitionTable(Dependencies dependencies) : dependencies_(std::move(dependencies)) {
  TALOSMQ_CHECK(!dependencies_.shards.empty()) << "a broker needs a shard";
  for (base::Executor* executor : dependencies_.shards) {
    shards_.push_back(
        std::make_unique<Shard>(*executor, dependencies_.options.shard_append_bytes_max));
  }
}

PartitionTable::Shard& PartitionTable::ShardOf(const TopicPartition& id) {
  // By sum rather than by hash, so that a topic's partitions spread evenly.
  const auto topic = base::LoadBigEndian<uint64_t>(base::AsBytes(id.topic_id.bytes()).data());
  const uint64_t place = topic + static_cast<uint64_t>(id.partition.value());
  return *shards_[place % shards_.size()];
}

absl::StatusOr<PartitionTable::Route> PartitionTable::Find(const TopicPartition& id) {
  Shard& shard = ShardOf(id);
  std::optional<base::Gate::Pass> pass = shard.gate.Enter();
  if (!pass.has_value()) return ShuttingDown();
  const base::MutexLock lock(shard.mutex);
  if (shard.is_stopped) return ShuttingDown();
  // Under the lock: whoever retires a topic has seen an image that is not newer than this one.
  const std::shared_ptr<const ClusterImage> image = dependencies_.images.current();
  const auto topic = CheckServed(*image, id, dependencies_.options.id);
  if (!topic.ok()) return topic.status();
  std::shared_ptr<const TopicSettings> settings = SettingsLocked(shard, *topic);
  std::shared_ptr<Partition>& partition = shard.partitions[id];
  if (partition == nullptr) {
    partition = std::make_shared<Partition>(
        id, MakeAssignment(*image, *settings, id.partition),
        Partition::Dependencies{.log_store = dependencies_.log_store,
                                .metadata_store = dependencies_.metadata_store,
                                .shard = shard.executor,
                                .clock = dependencies_.clock,
                                .metrics = dependencies_.metrics,
                                .options = dependencies_.options});
  }
  return Route{.partition = partition,
               .settings = std::move(settings),
               .shard = shard.executor,
               .append_budget = shard.append_budget,
               .pass = *std::move(pass)};
}

std::shared_ptr<const TopicSettings> PartitionTable::SettingsLocked(
    Shard& shard, const std::shared_ptr<const TopicImage>& topic) {
  std::shared_ptr<const TopicSettings>& settings = shard.settings[topic->id];
  if (settings == nullptr || settings->topic != topic) settings = MakeTopicSettings(topic);
  return settings;
}

void PartitionTable::CancelFetches(const std::vector<NamedFetch>& fetches) {
  if (fetches.empty()) return;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    std::optional<base::Gate::Pass> pass = shard->gate.Enter();
    if (!pass.has_value()) continue;
    std::vector<std::pair<std::shared_ptr<Partition>, FetchTicket>> found;
    {
      const base::MutexLock lock(shard->mutex);
      for (const NamedFetch& fetch : fetches) {
        const auto used = shard->partitions.find(fetch.source);
        if (used != shard->partitions.end()) found.emplace_back(used->second, fetch.ticket);
      }
    }
    if (found.empty()) continue;
    shard->executor.Post([pass = *std::move(pass), found = std::move(found)] {
      for (const auto& [partition, ticket] : found) partition->CancelFetch(ticket);
    });
  }
}

bool PartitionTable::IsUsed(const TopicPartition& id) {
  Shard& shard = ShardOf(id);
  const base::MutexLock lock(shard.mutex);
  return shard.partitions.contains(id);
}

void PartitionTable::CleanUp(const TopicPartition& id, Cleanup work, absl::Time now,
                             base::Callback<absl::Status> done) {
  absl::StatusOr<Route> route = Find(id);
  if (!route.ok()) return done(route.status());
  route->shard.Post(
      [pass = std::move(route->pass), partition = std::move(route->partition), work, now,
       done = std::move(done)]() mutable { partition->CleanUp(work, now, std::move(done)); });
}

void PartitionTable::Adopt(const ClusterImage& before, const ClusterImage& after) {
  for (const auto& [id, topic] : after.topics_by_id) {
    const std::shared_ptr<const TopicImage> known = before.FindTopic(id);
    if (known == nullptr || known == topic || topic->state == TopicState::kDeleting) continue;
    AdoptTopic(after, *known, topic);
  }
}

void PartitionTable::AdoptTopic(const ClusterImage& image, const TopicImage& before,
                                const std::shared_ptr<const TopicImage>& after) {
  const std::shared_ptr<const TopicSettings> settings = MakeTopicSettings(after);
  // Partitions that were added since are not in use yet.
  const size_t count = std::min(before.partitions.size(), after->partitions.size());
  for (size_t i = 0; i < count; ++i) {
    const bool has_changed = after->revision != before.revision ||
                             after->partitions[i].revision != before.partitions[i].revision;
    if (!has_changed) continue;
    const PartitionId partition(static_cast<int32_t>(i));
    PostIfUsed({.topic_id = after->id, .partition = partition},
               [assignment = MakeAssignment(image, *settings, partition)](Partition& used) mutable {
                 used.Adopt(std::move(assignment));
               });
  }
}

void PartitionTable::PostIfUsed(const TopicPartition& id, base::Callback<Partition&> action) {
  Shard& shard = ShardOf(id);
  std::optional<base::Gate::Pass> pass = shard.gate.Enter();
  if (!pass.has_value()) return;
  std::shared_ptr<Partition> partition;
  {
    const base::MutexLock lock(shard.mutex);
    const auto found = shard.partitions.find(id);
    if (found == shard.partitions.end()) return;
    partition = found->second;
  }
  // The pass goes last, so that nothing of the task is left when Stop() is done.
  shard.executor.Post([pass = *std::move(pass), partition = std::move(partition),
                       action = std::move(action)]() mutable { action(*partition); });
}

void PartitionTable::RetireTopic(const TopicId& id, base::Task done) {
  std::vector<std::pair<Shard*, std::shared_ptr<Partition>>> retired;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    const base::MutexLock lock(shard->mutex);
    shard->settings.erase(id);
    for (auto entry = shard->partitions.begin(); entry != shard->partitions.end();) {
      const auto current = entry++;
      if (current->first.topic_id != id) continue;
      retired.emplace_back(shard.get(), std::move(current->second));
      shard->partitions.erase(current);
    }
  }
  if (retired.empty()) return done();
  const auto all = Countdown::Start(static_cast<int64_t>(retired.size()), std::move(done));
  for (auto& [shard, partition] : retired) {
    shard->executor.Post([partition = std::move(partition), all]() mutable {
      Partition& closing = *partition;
      closing.Retire([partition = std::move(partition), all] { all->PartDone(); });
    });
  }
}

void PartitionTable::CollectProblems(base::Callback<std::vector<HealthProblem>> done) {
  struct Collected {
    base::Mutex mutex;
    std::vector<HealthProblem> problems ABSL_GUARDED_BY(mutex);
  };
  const auto collected = std::make_shared<Collected>();  // Shared by one task on each shard.
  const auto all = Countdown::Start(static_cast<int64_t>(shards_.size()),
                                    [collected, done = std::move(done)]() mutable {
                                      std::vector<HealthProblem> problems;
                                      {
                                        const base::MutexLock lock(collected->mutex);
                                        problems.swap(collected->problems);
                                      }
                                      done(std::move(problems));
                                    });
  for (const std::unique_ptr<Shard>& shard : shards_) {
    shard->executor.Post([partitions = UsedOn(*shard), collected, all] {
      for (const std::shared_ptr<Partition>& partition : partitions) {
        std::vector<HealthProblem> problems = partition->CheckHealth();
        const base::MutexLock lock(collected->mutex);
        std::move(problems.begin(), problems.end(), std::back_inserter(collected->problems));
      }
      all->PartDone();
    });
  }
}

std::vector<std::shared_ptr<Partition>> PartitionTable::UsedOn(Shard& shard) {
  const base::MutexLock lock(shard.mutex);
  std::vector<std::shared_ptr<Partition>> partitions;
  partitions.reserve(shard.partitions.size());
  for (const auto& [id, partition] : shard.partitions) partitions.push_back(partition);
  return partitions;
}

void PartitionTable::RefuseRequests() {
  for (const std::unique_ptr<Shard>& shard : shards_) {
    const base::MutexLock lock(shard->mutex);
    shard->is_stopped = true;
  }
}

void PartitionTable::Stop(base::Task done) {
  const auto all = Countdown::Start(static_cast<int64_t>(shards_.size()), std::move(done));
  for (const std::unique_ptr<Shard>& owned : shards_) {
    Shard& shard = *owned;
    StopShard(shard, [&shard, all] { shard.gate.Close([all] { all->PartDone(); }); });
  }
}

void PartitionTable::StopShard(Shard& shard, base::Task done) {
  absl::flat_hash_map<TopicPartition, std::shared_ptr<Partition>> partitions;
  {
    const base::MutexLock lock(shard.mutex);
    TALOSMQ_CHECK(shard.is_stopped) << "a table refuses requests before it stops";
    partitions.swap(shard.partitions);
  }
  // One part for this task, so that a shard without partitions is done as well.
  const auto all = Countdown::Start(static_cast<int64_t>(partitions.size()) + 1, std::move(done));
  shard.executor.Post([partitions = std::move(partitions), all] {
    for (const auto& [id, partition] : partitions) {
      partition->Stop([partition = partition, all] { all->PartDone(); });
    }
    all->PartDone();
  });
}

}  // namespace talosmq::broker
