#include "client/group_admin.h"

#include "base/status.h"
#include "base/text.h"
#include "client/error_message.h"
#include "client/group_calls.h"
#include "client/offset_lookup.h"
#include "client/pending_result.h"
#include "client/retry.h"
#include "client/topic_lookup.h"
#include "talosmq/error.h"
#include "talosmq/v1/consumer.pb.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace talosmq::client {
namespace {

/// A question: asked again while a coordinator loads, up to request_timeout.
template <typename Response, typename Request>
absl::StatusOr<Response> Ask(ClientCore& core, std::string_view method, const Request& request) {
  PendingResult<absl::StatusOr<Response>> answered;
  core.executor().Post([&core, method, request, done = answered.callback()]() mutable {
    Retry<Response>::Start(
        core,
        [&core, method, request](typename Retry<Response>::Done answer) {
          core.CallTyped<Response>(method, request, CallPolicy::kAnyServer, std::move(answer));
        },
        std::move(done));
  });
  return answered.Wait();
}

GroupSummary ReadSummary(const v1::ListedGroup& group) {
  return {.group = group.group(),
          .kind = static_cast<GroupKind>(group.kind()),
          .state = static_cast<GroupState>(group.state()),
          .members = group.members()};
}

/// The name that each of these topics has now; the text of its id when it has none.
absl::StatusOr<std::map<TopicId, TopicImagePtr>> FindImages(ClientCore& core,
                                                            const std::set<TopicId>& topics) {
  std::map<TopicId, TopicImagePtr> images;
  for (const TopicId topic : topics) {
    PendingResult<absl::StatusOr<TopicImagePtr>> found;
    core.executor().Post([&core, topic, done = found.callback()]() mutable {
      core.metadata().Refresh(topic, std::move(done));
    });
    absl::StatusOr<TopicImagePtr> image = found.Wait();
    if (image.ok()) {
      images[topic] = *std::move(image);
    } else if (ReasonOf(image.status()) == Reason::kUnknownTopicId) {
      images[topic] = nullptr;
    } else {
      return image.status();
    }
  }
  return images;
}

/// The high watermarks of those that answer.
std::map<TopicPartition, Offset> FindEnds(ClientCore& core,
                                          const std::set<TopicPartition>& partitions) {
  std::map<TopicPartition, Offset> ends;
  std::map<TopicId, std::vector<OffsetQuestion>> by_topic;
  for (const TopicPartition& partition : partitions) {
    by_topic[partition.topic_id].push_back({.partition = partition.partition, .position = AtEnd()});
  }
  for (const auto& [topic, questions] : by_topic) {
    PendingResult<absl::StatusOr<std::vector<Offset>>> found;
    FindOffsets(core, topic, questions, found.callback());
    const absl::StatusOr<std::vector<Offset>> offsets = found.Wait();
    if (!offsets.ok()) continue;
    for (size_t i = 0; i < questions.size(); ++i) {
      ends[{.topic_id = topic, .partition = questions[i].partition}] = (*offsets)[i];
    }
  }
  return ends;
}

/// What a description says of partitions, before they have names.
struct Described {
  CommittedOffsets committed;
  std::map<TopicPartition, std::string> owners;
  std::set<TopicPartition> partitions;
};

absl::StatusOr<Described> ReadPartitions(const v1::DescribeGroupResponse& response) {
  Described described;
  TALOSMQ_ASSIGN_OR_RETURN(described.committed, ReadCommittedOffsets(response.offsets()));
  for (const auto& [partition, committed] : described.committed) {
    described.partitions.insert(partition);
  }
  for (const v1::DescribedMember& member : response.members()) {
    for (const v1::GroupPartition& owned : member.owned()) {
      TALOSMQ_ASSIGN_OR_RETURN(const TopicPartition partition,
                               ReadGroupPartition(owned.topic_id(), owned.partition()));
      described.owners[partition] = member.member_id();
      described.partitions.insert(partition);
    }
  }
  return described;
}

struct LogRange {
  PartitionId partition;
  Offset start;
  Offset end;
};

absl::StatusOr<std::vector<Offset>> Find(ClientCore& core, TopicId topic,
                                         std::vector<OffsetQuestion> questions) {
  PendingResult<absl::StatusOr<std::vector<Offset>>> found;
  FindOffsets(core, topic, std::move(questions), found.callback());
  return found.Wait();
}

absl::StatusOr<std::vector<LogRange>> FindRanges(ClientCore& core, const TopicImage& topic,
                                                 const std::vector<PartitionId>& partitions) {
  std::vector<OffsetQuestion> starts;
  std::vector<OffsetQuestion> ends;
  for (const PartitionId partition : partitions) {
    starts.push_back({.partition = partition, .position = AtStart()});
    ends.push_back({.partition = partition, .position = AtEnd()});
  }
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<Offset> first, Find(core, topic.id, starts));
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<Offset> last, Find(core, topic.id, ends));
  std::vector<LogRange> ranges;
  for (size_t i = 0; i < partitions.size(); ++i) {
    ranges.push_back({.partition = partitions[i], .start = first[i], .end = last[i]});
  }
  return ranges;
}

absl::StatusOr<std::vector<PartitionId>> PartitionsOf(const TopicImage& topic,
                                                      std::optional<PartitionId> one) {
  const auto count = static_cast<int32_t>(topic.partitions.size());
  if (one && (one->value() < 0 || one->value() >= count)) {
    return MakeError(Reason::kUnknownPartition,
                     base::StrCat("topic ", topic.name, ": expected a partition from 0 to ",
                                  count - 1, ", found ", one->value()));
  }
  if (one) return std::vector<PartitionId>{*one};
  std::vector<PartitionId> all;
  for (int32_t number = 0; number < count; ++number) all.emplace_back(number);
  return all;
}

/// Where the reset puts each partition; kOffsetOutOfRange for the first that has no such offset.
absl::StatusOr<std::map<PartitionId, Offset>> PlanReset(ClientCore& core, const TopicImage& topic,
                                                        const GroupReset& reset) {
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<PartitionId> partitions,
                           PartitionsOf(topic, reset.partition));
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<LogRange> ranges, FindRanges(core, topic, partitions));
  std::vector<OffsetQuestion> questions;
  for (const PartitionId partition : partitions) {
    questions.push_back({.partition = partition, .position = reset.to});
  }
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<Offset> found, Find(core, topic.id, questions));
  std::map<PartitionId, Offset> offsets;
  for (size_t i = 0; i < found.size(); ++i) {
    const LogRange& range = ranges[i];
    // The log may have grown meanwhile, and what it ended at then is within it.
    const bool is_given = std::holds_alternative<Offset>(reset.to);
    if (is_given && (found[i] < range.start || found[i] > range.end)) {
      return MakeError(Reason::kOffsetOutOfRange,
                       base::StrCat("topic ", topic.name, " partition ", range.partition.value(),
                                    ": expected an offset from ", range.start.value(), " to ",
                                    range.end.value(), ", found ", found[i].value()));
    }
    offsets[range.partition] = found[i];
  }
  return offsets;
}

}  // namespace

absl::StatusOr<std::vector<GroupSummary>> ListGroups(ClientCore& core) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto response, Ask<v1::ListGroupsResponse>(
                                                    core, "/talosmq.v1.ConsumerService/ListGroups",
                                                    v1::ListGroupsRequest()));
  std::vector<GroupSummary> groups;
  for (const v1::ListedGroup& group : response.groups()) groups.push_back(ReadSummary(group));
  std::ranges::sort(groups, {}, &GroupSummary::group);
  return groups;
}

absl::StatusOr<GroupInfo> DescribeGroup(ClientCore& core, const std::string& group) {
  v1::DescribeGroupRequest request;
  request.set_group(group);
  TALOSMQ_ASSIGN_OR_RETURN(
      const auto response,
      Ask<v1::DescribeGroupResponse>(core, "/talosmq.v1.ConsumerService/DescribeGroup", request));
  TALOSMQ_ASSIGN_OR_RETURN(const Described described, ReadPartitions(response));
  std::set<TopicId> topics;
  for (const TopicPartition& partition : described.partitions) topics.insert(partition.topic_id);
  TALOSMQ_ASSIGN_OR_RETURN(const auto images, FindImages(core, topics));
  const auto name_of = [&](const TopicPartition& partition) {
    const TopicImagePtr& image = images.at(partition.topic_id);
    return NamedPartition{.topic = image == nullptr ? partition.topic_id.ToString() : image->name,
                          .partition = partition.partition};
  };
  std::set<TopicPartition> living = described.partitions;
  std::erase_if(living, [&](const TopicPartition& partition) {
    return images.at(partition.topic_id) == nullptr;
  });
  const std::map<TopicPartition, Offset> ends = FindEnds(core, living);

  GroupInfo info{.summary = ReadSummary(response.group()),
                 .generation = response.generation(),
                 .protocol = response.protocol(),
                 .members = {},
                 .partitions = {}};
  for (const v1::DescribedMember& member : response.members()) {
    GroupMemberInfo& read = info.members.emplace_back();
    read.member_id = member.member_id();
    read.instance_id = member.instance_id();
    read.client_id = member.client_id();
    read.host = member.host();
    read.subscription = {.topics = {member.topics().begin(), member.topics().end()},
                         .patterns = {member.patterns().begin(), member.patterns().end()}};
    for (const auto& [partition, owner] : described.owners) {
      if (owner == read.member_id) read.owned.push_back(name_of(partition));
    }
    std::ranges::sort(read.owned);
  }
  for (const TopicPartition& partition : described.partitions) {
    GroupProgress& progress = info.partitions.emplace_back();
    progress.partition = name_of(partition);
    const auto committed = described.committed.find(partition);
    if (committed != described.committed.end()) progress.committed = committed->second;
    const auto end = ends.find(partition);
    if (end != ends.end()) progress.end = end->second;
    const auto owner = described.owners.find(partition);
    if (owner != described.owners.end()) progress.member_id = owner->second;
  }
  std::ranges::sort(info.partitions, {}, &GroupProgress::partition);
  return info;
}

absl::StatusOr<std::map<PartitionId, Offset>> ResetGroupOffsets(ClientCore& core,
                                                                const GroupReset& reset) {
  TALOSMQ_ASSIGN_OR_RETURN(const TopicImagePtr topic, FindTopic(core, reset.topic));
  TALOSMQ_ASSIGN_OR_RETURN(const auto offsets, PlanReset(core, *topic, reset));
  v1::ResetOffsetsRequest request;
  request.set_group(reset.group);
  request.set_force(reset.force);
  for (const auto& [partition, offset] : offsets) {
    v1::OffsetReset& message = *request.add_offsets();
    message.set_topic_id(std::string(topic->id.bytes()));
    message.set_partition(partition.value());
    message.set_offset(offset.value());
  }
  PendingResult<absl::StatusOr<v1::ResetOffsetsResponse>> answered;
  core.CallTyped<v1::ResetOffsetsResponse>("/talosmq.v1.ConsumerService/ResetOffsets", request,
                                           CallPolicy::kOnce, answered.callback());
  TALOSMQ_ASSIGN_OR_RETURN(const v1::ResetOffsetsResponse response, answered.Wait());
  for (const v1::CommittedPartition& partition : response.partitions()) {
    if (!partition.has_error()) continue;
    return base::Annotate(
        StatusOf(partition.error()),
        base::StrCat("topic ", topic->name, " partition ", partition.partition()));
  }
  return offsets;
}

absl::StatusOr<std::map<PartitionId, CommittedOffset>> FetchGroupOffsets(ClientCore& core,
                                                                         const std::string& group,
                                                                         const std::string& topic) {
  TALOSMQ_ASSIGN_OR_RETURN(const TopicImagePtr image, FindTopic(core, topic));
  std::vector<TopicPartition> partitions;
  for (size_t number = 0; number < image->partitions.size(); ++number) {
    partitions.push_back(
        {.topic_id = image->id, .partition = PartitionId(static_cast<int32_t>(number))});
  }
  PendingResult<absl::StatusOr<CommittedOffsets>> found;
  FetchCommittedOffsets(core, group, std::move(partitions), found.callback());
  TALOSMQ_ASSIGN_OR_RETURN(const CommittedOffsets committed, found.Wait());
  std::map<PartitionId, CommittedOffset> offsets;
  for (const auto& [partition, offset] : committed) offsets[partition.partition] = offset;
  return offsets;
}

}  // namespace talosmq::client
