#include "broker/topic_core.h"

#include "base/status.h"
#include "base/text.h"
#include "broker/countdown.h"
#include "broker/in_time.h"
#include "broker/partition_state.h"
#include "broker/topic_configs.h"
#include "metadata/topic_name.h"
#include "talosmq/error.h"

#include <optional>
#include <utility>

namespace talosmq::broker {
namespace {

using metadata::Revision;
using metadata::TopicImage;

absl::Status ShuttingDown() { return MakeError(Reason::kShuttingDown, "the broker is stopping"); }

absl::Status UnknownTopic(std::string_view name) {
  return MakeError(Reason::kUnknownTopic,
                   base::StrCat("no topic is called '",
                                base::Printable(name, metadata::kTopicNameBytesMax), "'"));
}

/// The system makes its own topics without asking here, and nobody else changes them.
absl::Status ReservedName(std::string_view name) {
  return MakeError(Reason::kInvalidTopicName,
                   base::StrCat("topic name '", base::Printable(name, metadata::kTopicNameBytesMax),
                                "': names that begin with '__' are the system's own"));
}

controller::ConfigChange ChangeOf(TopicAlteration alteration) {
  return {.set = std::move(alteration.set),
          .unset = std::move(alteration.unset),
          .unnamed = alteration.unnamed};
}

/// Bounds the value of a partition's state key, and what a fetch looks through.
constexpr size_t kSkippedRangesMax = 1000;

absl::Status TooManySkipped(const LedPartition& partition) {
  return MakeError(
      Reason::kInvalidArgument,
      base::StrCat("partition ", partition.name, ": expected at most ", kSkippedRangesMax,
                   " ranges that readers pass over, found one more"));
}

/// A partition that is to describe itself. The pass goes last.
struct Asked {
  base::Gate::Pass pass;
  std::shared_ptr<Partition> partition;
  size_t place = 0;  ///< In the description.
};

/// What metadata alone says of a partition that cannot be asked.
PartitionDescription Unserved(const TopicImage& topic, PartitionId partition,
                              const absl::Status& status) {
  const metadata::PartitionImage& image = topic.partitions[static_cast<size_t>(partition.value())];
  PartitionDescription description;
  description.partition = partition;
  description.status = status;
  description.leader = image.leader;
  description.epoch = image.epoch;
  description.replicas = image.replicas;
  description.in_sync = image.in_sync;
  description.skipped = image.skipped;
  return description;
}

}  // namespace

template <typename Answer, typename Change>
void TopicCore::RunChange(std::string_view what, absl::Duration deadline,
                          base::Callback<Answer> done, Change change) {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (!pass.has_value()) return done(ShuttingDown());
  RunInTime(
      {.executor = dependencies_.admin_executor,
       .clock = dependencies_.clock,
       .deadline = deadline,
       .what = what},
      std::move(done),
      [pass = *std::move(pass), change = std::move(change)](base::Callback<Answer> answer) mutable {
        change(std::move(pass), std::move(answer));
      });
}

void TopicCore::Create(TopicCreation creation, absl::Duration deadline,
                       base::Callback<absl::StatusOr<std::shared_ptr<const TopicImage>>> done) {
  if (metadata::IsInternalName(creation.name)) return done(ReservedName(creation.name));
  RunChange("create topic", deadline, std::move(done),
            [this, creation = std::move(creation)](base::Gate::Pass pass, auto answer) mutable {
              CreateNow(std::move(creation), std::move(pass), std::move(answer));
            });
}

void TopicCore::CreateNow(TopicCreation creation, base::Gate::Pass pass,
                          base::Callback<absl::StatusOr<std::shared_ptr<const TopicImage>>> done) {
  const std::string name = creation.name;
  controller::NewTopic topic{.name = std::move(creation.name),
                             .partitions = creation.partitions,
                             .replicas = creation.replicas,
                             .configs = std::move(creation.configs)};
  dependencies_.controller.Create(
      std::move(topic), [this, name, pass = std::move(pass), done = std::move(done)](
                            const absl::StatusOr<controller::CreatedTopic>& created) mutable {
        if (!created.ok()) return done(created.status());
        dependencies_.images.WhenReached(
            created->revision, [this, name, id = created->id, pass = std::move(pass),
                                done = std::move(done)]() mutable {
              std::shared_ptr<const TopicImage> shown = image()->FindTopic(id);
              // Created, and deleted again before this.
              if (shown == nullptr) return done(UnknownTopic(name));
              done(std::move(shown));
            });
      });
}

void TopicCore::Alter(TopicAlteration alteration, absl::Duration deadline,
                      base::Callback<absl::Status> done) {
  if (metadata::IsInternalName(alteration.name)) return done(ReservedName(alteration.name));
  RunChange("alter topic", deadline, std::move(done),
            [this, alteration = std::move(alteration)](base::Gate::Pass pass, auto answer) mutable {
              std::string name = alteration.name;
              dependencies_.controller.AlterConfig(std::move(name), ChangeOf(std::move(alteration)),
                                                   WhenShown(std::move(pass), std::move(answer)));
            });
}

void TopicCore::AddPartitions(std::string name, int32_t total, absl::Duration deadline,
                              base::Callback<absl::Status> done) {
  if (metadata::IsInternalName(name)) return done(ReservedName(name));
  RunChange("add partitions", deadline, std::move(done),
            [this, name = std::move(name), total](base::Gate::Pass pass, auto answer) mutable {
              dependencies_.controller.AddPartitions(std::move(name), total,
                                                     WhenShown(std::move(pass), std::move(answer)));
            });
}

void TopicCore::Delete(std::string name, absl::Duration deadline,
                       base::Callback<absl::Status> done) {
  if (metadata::IsInternalName(name)) return done(ReservedName(name));
  RunChange("delete topic", deadline, std::move(done),
            [this, name = std::move(name)](base::Gate::Pass pass, auto answer) mutable {
              dependencies_.controller.Delete(std::move(name),
                                              WhenShown(std::move(pass), std::move(answer)));
            });
}

absl::StatusOr<TopicCreation> TopicCore::CheckCreate(TopicCreation creation) const {
  if (metadata::IsInternalName(creation.name)) return ReservedName(creation.name);
  TALOSMQ_ASSIGN_OR_RETURN(
      controller::NewTopic topic,
      dependencies_.controller.Complete({.name = std::move(creation.name),
                                         .partitions = creation.partitions,
                                         .replicas = creation.replicas,
                                         .configs = std::move(creation.configs)}));
  const auto known = image()->FindTopic(std::string_view(topic.name));
  if (known != nullptr && known->state == metadata::TopicState::kActive) {
    return MakeError(Reason::kTopicExists, base::StrCat("topic '", topic.name, "' exists already"));
  }
  return TopicCreation{.name = std::move(topic.name),
                       .partitions = topic.partitions,
                       .replicas = topic.replicas,
                       .configs = std::move(topic.configs)};
}

absl::StatusOr<std::shared_ptr<const TopicImage>> TopicCore::FindOwn(
    const std::string& name) const {
  if (metadata::IsInternalName(name)) return ReservedName(name);
  std::shared_ptr<const TopicImage> topic = image()->FindTopic(std::string_view(name));
  if (topic == nullptr) return UnknownTopic(name);
  if (topic->state == metadata::TopicState::kActive) return topic;
  return MakeError(Reason::kTopicDeleting, base::StrCat("topic '", name, "' is being deleted"));
}

absl::Status TopicCore::CheckAlter(const TopicAlteration& alteration) const {
  TALOSMQ_ASSIGN_OR_RETURN(const auto topic, FindOwn(alteration.name));
  return controller::ChangeConfigs(topic->configs, ReplicasOf(*topic), ChangeOf(alteration))
      .status();
}

absl::Status TopicCore::CheckAddPartitions(const std::string& name, int32_t total) const {
  TALOSMQ_ASSIGN_OR_RETURN(const auto topic, FindOwn(name));
  return controller::CheckGrowth(name, static_cast<int32_t>(topic->partitions.size()), total);
}

void TopicCore::SkipCorrupt(std::string name, PartitionId partition, Offset to,
                            absl::Duration deadline,
                            base::Callback<absl::StatusOr<CorruptRange>> done) {
  RunChange(
      "skip corrupt", deadline, std::move(done),
      [this, name = std::move(name), partition, to](base::Gate::Pass pass, auto answer) mutable {
        const auto topic = image()->FindTopic(std::string_view(name));
        if (topic == nullptr) return answer(UnknownTopic(name));
        const TopicPartition id{.topic_id = topic->id, .partition = partition};
        FindDamage(id, to,
                   [this, id, pass = std::move(pass), answer = std::move(answer)](
                       const absl::StatusOr<CorruptRange>& damage) mutable {
                     if (!damage.ok()) return answer(damage.status());
                     RecordSkipped(id, *damage, std::move(pass), std::move(answer));
                   });
      });
}

void TopicCore::FindDamage(const TopicPartition& id, Offset to,
                           base::Callback<absl::StatusOr<CorruptRange>> done) {
  auto route = dependencies_.partitions.Find(id);
  if (!route.ok()) return done(route.status());
  route->shard.Post([partition = std::move(route->partition), to, done = std::move(done),
                     pass = std::move(route->pass)]() mutable {
    Partition& asked = *partition;
    asked.FindDamageBelow(
        to, [partition = std::move(partition), pass = std::move(pass), done = std::move(done)](
                const absl::StatusOr<CorruptRange>& damage) mutable { done(damage); });
  });
}

void TopicCore::RecordSkipped(const TopicPartition& id, CorruptRange range, base::Gate::Pass pass,
                              base::Callback<absl::StatusOr<CorruptRange>> done) {
  const auto topic = image()->FindTopic(id.topic_id);
  const auto place = static_cast<size_t>(id.partition.value());
  // While a topic is removed its partitions go first.
  if (topic == nullptr || topic->partitions.size() <= place) {
    return done(MakeError(Reason::kUnknownTopicId,
                          base::StrCat("topic id ", id.topic_id.ToString(), ": it was deleted")));
  }
  const metadata::PartitionImage& known = topic->partitions[place];
  LedPartition led{.id = id,
                   .name = base::StrCat(topic->name, "/", id.partition.value()),
                   .leader = known.leader,
                   .in_sync = known.in_sync,
                   .self = dependencies_.options.id};
  auto skip = [led, range](metadata::PartitionStateRecord& state) {
    AddSkipped(state.skipped, range);
    return state.skipped.size() > kSkippedRangesMax ? TooManySkipped(led) : absl::OkStatus();
  };
  ChangePartitionState(
      dependencies_.metadata_store, led, std::move(skip), dependencies_.admin_executor,
      WhenShown(std::move(pass),
                [range, done = std::move(done)](const absl::Status& status) mutable {
                  if (!status.ok()) return done(status);
                  done(range);
                }));
}

base::Callback<absl::StatusOr<Revision>> TopicCore::WhenShown(base::Gate::Pass pass,
                                                              base::Callback<absl::Status> done) {
  return [this, pass = std::move(pass),
          done = std::move(done)](const absl::StatusOr<Revision>& changed) mutable {
    if (!changed.ok()) return done(changed.status());
    dependencies_.images.WhenReached(
        *changed,
        [pass = std::move(pass), done = std::move(done)]() mutable { done(absl::OkStatus()); });
  };
}

void TopicCore::Describe(std::string name, base::Callback<absl::StatusOr<TopicDescription>> done) {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (!pass.has_value()) return done(ShuttingDown());
  const std::shared_ptr<const TopicImage> topic = image()->FindTopic(std::string_view(name));
  if (topic == nullptr) return done(UnknownTopic(name));

  // Each partition writes its own place; the countdown publishes them all.
  const auto description = std::make_shared<TopicDescription>();
  description->topic = topic;
  description->partitions.resize(topic->partitions.size());
  description->configs = ConfigsOf(*topic);
  const auto all =
      Countdown::Start(static_cast<int64_t>(topic->partitions.size()) + 1,
                       [pass = *std::move(pass), description, done = std::move(done)]() mutable {
                         done(std::move(*description));
                       });
  // One task a shard, so that many calls about wide topics leave room in its queue for others.
  std::map<base::Executor*, std::vector<Asked>> asked;
  for (size_t i = 0; i < topic->partitions.size(); ++i) {
    const PartitionId partition(static_cast<int32_t>(i));
    auto route = dependencies_.partitions.Find({.topic_id = topic->id, .partition = partition});
    if (route.ok()) {
      asked[&route->shard].push_back(
          {.pass = std::move(route->pass), .partition = std::move(route->partition), .place = i});
    } else {
      description->partitions[i] = Unserved(*topic, partition, route.status());
      all->PartDone();
    }
  }
  for (auto& [shard, partitions] : asked) {
    shard->Post([partitions = std::move(partitions), description, all] {
      for (const Asked& one : partitions) {
        one.partition->Describe([description, all, place = one.place](PartitionDescription told) {
          description->partitions[place] = std::move(told);
          all->PartDone();
        });
      }
    });
  }
  all->PartDone();
}

}  // namespace talosmq::broker
