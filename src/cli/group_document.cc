#include "cli/group_document.h"

#include "base/text.h"
#include "cli/time_text.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::cli {
namespace {

std::string_view NameOf(GroupKind kind) {
  switch (kind) {
    case GroupKind::kNone:
      return "none";
    case GroupKind::kNative:
      return "native";
    case GroupKind::kClassic:
      return "classic";
  }
  return "unknown";
}

std::string_view NameOf(GroupState state) {
  switch (state) {
    case GroupState::kEmpty:
      return "empty";
    case GroupState::kRebalancing:
      return "rebalancing";
    case GroupState::kStable:
      return "stable";
  }
  return "unknown";
}

Document Texts(const std::vector<std::string>& texts) {
  Document listed = Document::array();
  for (const std::string& text : texts) listed.push_back(text);
  return listed;
}

Document DescribeMember(const GroupMemberInfo& member) {
  Document owned = Document::array();
  for (const NamedPartition& partition : member.owned) {
    owned.push_back(base::StrCat(partition.topic, "/", partition.partition.value()));
  }
  return {{"member_id", member.member_id},
          {"host", member.host},
          {"client_id", member.client_id},
          {"instance_id", member.instance_id.empty() ? Document() : Document(member.instance_id)},
          {"topics", Texts(member.subscription.topics)},
          {"patterns", Texts(member.subscription.patterns)},
          {"partitions", std::move(owned)}};
}

Document Known(const std::optional<int64_t>& value) {
  return value.has_value() ? Document(*value) : Document();
}

Document DescribePartition(const GroupProgress& progress, const std::string& host) {
  const auto& committed = progress.committed;
  const bool is_owned = !progress.member_id.empty();
  return {{"topic", progress.partition.topic},
          {"partition", progress.partition.partition.value()},
          {"committed", committed ? Document(committed->offset.value()) : Document()},
          {"end", progress.end ? Document(progress.end->value()) : Document()},
          {"lag", Known(progress.lag())},
          {"committed_at", committed ? Document(TimeText(committed->committed_at)) : Document()},
          {"metadata", committed ? Document(committed->metadata) : Document()},
          {"member_id", is_owned ? Document(progress.member_id) : Document()},
          {"host", is_owned ? Document(host) : Document()}};
}

}  // namespace

Document SummarizeGroup(const GroupSummary& group) {
  return {{"group", group.group},
          {"kind", NameOf(group.kind)},
          {"state", NameOf(group.state)},
          {"members", group.members}};
}

Document DescribeGroup(const GroupInfo& group) {
  std::map<std::string, std::string> hosts;
  Document members = Document::array();
  for (const GroupMemberInfo& member : group.members) {
    hosts[member.member_id] = member.host;
    members.push_back(DescribeMember(member));
  }
  int64_t lag = 0;
  Document partitions = Document::array();
  for (const GroupProgress& progress : group.partitions) {
    lag += progress.lag().value_or(0);
    partitions.push_back(DescribePartition(progress, hosts[progress.member_id]));
  }
  return {{"group", group.summary.group},         {"kind", NameOf(group.summary.kind)},
          {"state", NameOf(group.summary.state)}, {"generation", group.generation},
          {"protocol", group.protocol},           {"lag", lag},
          {"members", std::move(members)},        {"partitions", std::move(partitions)}};
}

}  // namespace talosmq::cli
