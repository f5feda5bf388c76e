#include "rpc/group_messages.h"

#include "base/status.h"
#include "base/text.h"
#include "rpc/error_status.h"
#include "rpc/limits.h"
#include "rpc/wire.h"

#include <algorithm>
#include <utility>

namespace talosmq::rpc {
namespace {

constexpr absl::Duration kLeaseDefault = absl::Seconds(10);

absl::Status CheckCount(std::string_view what, int partitions) {
  if (partitions <= kPartitionsPerMessageMax) return absl::OkStatus();
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat(what, " names ", partitions, " partitions; at most ",
                                kPartitionsPerMessageMax, " are taken"));
}

absl::StatusOr<std::vector<TopicPartition>> TargetsOf(
    const google::protobuf::RepeatedPtrField<v1::GroupPartition>& partitions) {
  std::vector<TopicPartition> targets;
  for (const v1::GroupPartition& partition : partitions) {
    TALOSMQ_ASSIGN_OR_RETURN(const TopicPartition target,
                             ParseTarget(partition.topic_id(), partition.partition()));
    targets.push_back(target);
  }
  return targets;
}

absl::StatusOr<group::Subscription> SubscriptionOf(const v1::GroupSubscription& subscription) {
  if (!v1::Assignor_IsValid(subscription.assignor())) {
    return MakeError(
        Reason::kInvalidArgument,
        base::StrCat("there is no assignor ", static_cast<int>(subscription.assignor())));
  }
  return group::Subscription{
      .topics = {subscription.topics().begin(), subscription.topics().end()},
      .patterns = {subscription.patterns().begin(), subscription.patterns().end()},
      .assignor = static_cast<group::Assignor>(subscription.assignor())};
}

void FillPartition(const TopicPartition& partition, v1::GroupPartition& to) {
  to.set_topic_id(std::string(partition.topic_id.bytes()));
  to.set_partition(partition.partition.value());
}

std::string_view NameOf(group::Assignor assignor) {
  switch (assignor) {
    case group::Assignor::kSticky:
      return "sticky";
    case group::Assignor::kRange:
      return "range";
    case group::Assignor::kRoundRobin:
      return "round-robin";
    case group::Assignor::kLagAware:
      return "lag-aware";
  }
  return "unknown";
}

}  // namespace

std::string HostOf(std::string_view peer) {
  const size_t begin = peer.find(':');
  const size_t end = peer.rfind(':');
  if (begin == std::string_view::npos || end <= begin) return std::string(peer);
  return std::string(peer.substr(begin + 1, end - begin - 1));
}

absl::StatusOr<group::HeartbeatRequest> HeartbeatOf(const v1::HeartbeatRequest& request,
                                                    std::string_view peer) {
  // As many partitions as kControlBytesMax holds, about 40,000: a member that owned more than a
  // limit here allows could never say so.
  group::HeartbeatRequest heartbeat{
      .group = request.group(),
      .member_id = request.member_id(),
      .sequence = request.sequence(),
      .generation = request.generation(),
      .instance_id = request.instance_id(),
      .client_id = request.client_id(),
      .host = HostOf(peer),
      .lease = request.lease_ms() == 0 ? kLeaseDefault : absl::Milliseconds(request.lease_ms()),
      .wait = absl::Milliseconds(request.wait_ms())};
  TALOSMQ_ASSIGN_OR_RETURN(heartbeat.owned, TargetsOf(request.owned()));
  if (request.has_subscription()) {
    TALOSMQ_ASSIGN_OR_RETURN(heartbeat.subscription, SubscriptionOf(request.subscription()));
  }
  return heartbeat;
}

absl::StatusOr<group::CommitRequest> CommitOf(const v1::CommitOffsetsRequest& request) {
  TALOSMQ_RETURN_IF_ERROR(CheckCount("CommitOffsets", request.offsets_size()));
  TALOSMQ_RETURN_IF_ERROR(CheckDistinct(request.offsets()));
  group::CommitRequest commit{.group = request.group()};
  if (!request.member_id().empty()) {
    commit.committer = {.member_id = request.member_id(), .generation = request.generation()};
  }
  for (const v1::OffsetCommit& offset : request.offsets()) {
    group::OffsetCommit one;
    TALOSMQ_ASSIGN_OR_RETURN(one.partition, ParseTarget(offset.topic_id(), offset.partition()));
    one.value = {.offset = Offset(offset.offset()),
                 .epoch = KnownEpoch(offset.leader_epoch_plus_one()),
                 .metadata = offset.metadata()};
    if (offset.has_expected_offset()) one.expected = Offset(offset.expected_offset());
    commit.offsets.push_back(std::move(one));
  }
  return commit;
}

absl::StatusOr<group::OffsetsRequest> OffsetsOf(const v1::FetchOffsetsRequest& request) {
  TALOSMQ_RETURN_IF_ERROR(CheckCount("FetchOffsets", request.partitions_size()));
  group::OffsetsRequest offsets{.group = request.group()};
  if (request.partitions_size() > 0) {
    TALOSMQ_ASSIGN_OR_RETURN(offsets.partitions, TargetsOf(request.partitions()));
  }
  return offsets;
}

absl::StatusOr<group::ResetRequest> ResetOf(const v1::ResetOffsetsRequest& request) {
  TALOSMQ_RETURN_IF_ERROR(CheckCount("ResetOffsets", request.offsets_size()));
  TALOSMQ_RETURN_IF_ERROR(CheckDistinct(request.offsets()));
  group::ResetRequest reset{.group = request.group(),
                            .while_live = request.force()
                                              ? group::ResetRequest::WhileLive::kForce
                                              : group::ResetRequest::WhileLive::kRefuse};
  for (const v1::OffsetReset& offset : request.offsets()) {
    TALOSMQ_ASSIGN_OR_RETURN(const TopicPartition partition,
                             ParseTarget(offset.topic_id(), offset.partition()));
    reset.offsets.emplace(partition, Offset(offset.offset()));
  }
  return reset;
}

void FillHeartbeat(const group::HeartbeatReply& reply, v1::HeartbeatResponse& to) {
  to.set_member_id(reply.member_id);
  to.set_generation(reply.generation);
  to.set_lease_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(reply.lease)));
  for (const TopicPartition& partition : reply.assigned) {
    FillPartition(partition, *to.add_assigned());
  }
}

void FillOffset(const TopicPartition& partition, const group::CommittedOffset& value,
                v1::CommittedOffset& to) {
  to.set_topic_id(std::string(partition.topic_id.bytes()));
  to.set_partition(partition.partition.value());
  to.set_offset(value.offset.value());
  to.set_leader_epoch_plus_one(value.epoch.value() + 1);
  to.set_metadata(value.metadata);
  to.set_committed_ms(absl::ToUnixMillis(value.committed));
}

void FillCommitted(const TopicPartition& partition, const absl::Status& status,
                   v1::CommittedPartition& to) {
  to.set_topic_id(std::string(partition.topic_id.bytes()));
  to.set_partition(partition.partition.value());
  if (!status.ok()) FillError(status, *to.mutable_error());
}

void FillGroup(const group::GroupSummary& summary, v1::ListedGroup& to) {
  to.set_group(summary.group);
  to.set_kind(static_cast<v1::GroupKind>(summary.kind));
  to.set_state(static_cast<v1::GroupState>(summary.state));
  to.set_members(summary.members);
}

void FillDescription(const group::GroupDescription& description, v1::DescribeGroupResponse& to) {
  FillGroup(description.summary, *to.mutable_group());
  to.set_generation(description.record.generation);
  if (description.record.kind == group::GroupKind::kClassic) {
    to.set_protocol(description.record.protocol);
  } else if (description.record.kind == group::GroupKind::kNative) {
    to.set_protocol(std::string(NameOf(description.record.assignor)));
  }
  for (const auto& [id, record] : description.members) {
    v1::DescribedMember& member = *to.add_members();
    member.set_member_id(id);
    member.set_instance_id(record.instance_id);
    member.set_client_id(record.client_id);
    member.set_host(record.host);
    const bool is_vacant = record.presence == group::Presence::kVacant;
    for (const group::OwnedPartition& owned : record.owned) {
      if (!is_vacant) FillPartition(owned.partition, *member.add_owned());
    }
    for (const std::string& topic : record.topics) member.add_topics(topic);
    for (const std::string& pattern : record.patterns) member.add_patterns(pattern);
  }
  for (const auto& [partition, value] : description.offsets) {
    FillOffset(partition, value, *to.add_offsets());
  }
}

}  // namespace talosmq::rpc
