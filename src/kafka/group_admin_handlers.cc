#include "kafka/error_code.h"
#include "kafka/handlers.h"

#include "absl/container/flat_hash_set.h"

#include <algorithm>
#include <utility>

// What operators ask of groups.
namespace talosmq::kafka {
namespace {

std::string_view StateOf(const group::GroupSummary& summary) {
  switch (summary.state) {
    case group::GroupState::kEmpty:
      return "Empty";
    case group::GroupState::kRebalancing:
      return "PreparingRebalance";
    case group::GroupState::kStable:
      return "Stable";
  }
  return "Dead";
}

using GroupAnswer = DescribeGroupsResponse::Group;

void Fill(const group::GroupDescription& description, GroupAnswer& answer) {
  answer.group_state = std::string(StateOf(description.summary));
  answer.protocol_type = description.summary.protocol_type;
  answer.protocol_data = description.record.protocol;
  for (const auto& [id, member] : description.members) {
    if (member.presence == group::Presence::kVacant) continue;
    auto& told = answer.members.emplace_back();
    told.member_id = id;
    if (!member.instance_id.empty()) told.group_instance_id = member.instance_id;
    told.client_id = member.client_id;
    told.client_host = member.host;
    const auto metadata = member.protocols.find(description.record.protocol);
    if (metadata != member.protocols.end()) told.member_metadata = metadata->second;
    told.member_assignment = member.assignment;
  }
}

}  // namespace

void Handle(const Services& services,
            ExchangePtr<DescribeGroupsRequest, DescribeGroupsResponse> exchange) {
  // A group named again takes a few bytes of a request, and many times that of an answer.
  absl::flat_hash_set<std::string_view> names;
  for (const std::string_view name : exchange->request.groups) {
    if (!names.insert(name).second) continue;
    auto& answer = exchange->response.groups.emplace_back();
    answer.error_code = Wire(ErrorCode::kUnknownServerError);
    answer.group_id = std::string(name);
  }
  const size_t count = exchange->response.groups.size();
  for (size_t i = 0; i < count; ++i) {
    services.groups.Describe(
        exchange->response.groups[i].group_id,
        [exchange = exchange,
         i](const absl::StatusOr<group::GroupDescription>& description) mutable {
          GroupAnswer& answer = exchange->response.groups[i];
          // To Kafka a group that is not there is a dead one, and no error.
          const bool is_unknown = ReasonOf(description.status()) == Reason::kUnknownGroup;
          answer.error_code = is_unknown ? 0 : WireGroupErrorOf(description.status());
          if (is_unknown) answer.group_state = "Dead";
          if (description.ok()) Fill(*description, answer);
          exchange.reset();
        });
  }
}

void Handle(const Services& services, ExchangePtr<ListGroupsRequest, ListGroupsResponse> exchange) {
  exchange->response.error_code = Wire(ErrorCode::kUnknownServerError);
  services.groups.List([exchange = std::move(exchange)](
                           const absl::StatusOr<std::vector<group::GroupSummary>>& groups) mutable {
    exchange->response.error_code = WireGroupErrorOf(groups.status());
    const auto& states = exchange->request.states_filter;
    for (const group::GroupSummary& summary :
         groups.ok() ? *groups : std::vector<group::GroupSummary>()) {
      const std::string_view state = StateOf(summary);
      if (!states.empty() && std::ranges::find(states, state) == states.end()) continue;
      exchange->response.groups.push_back({.group_id = summary.group,
                                           .protocol_type = summary.protocol_type,
                                           .group_state = std::string(state)});
    }
    exchange.reset();
  });
}

void Handle(const Services& services,
            ExchangePtr<DeleteGroupsRequest, DeleteGroupsResponse> exchange) {
  const auto& names = exchange->request.groups;
  for (const std::string_view name : names) {
    exchange->response.results.push_back(
        {.group_id = std::string(name), .error_code = Wire(ErrorCode::kUnknownServerError)});
  }
  for (size_t i = 0; i < names.size(); ++i) {
    services.groups.Delete(std::string(names[i]),
                           [exchange = exchange, i](const absl::Status& deleted) mutable {
                             exchange->response.results[i].error_code = WireGroupErrorOf(deleted);
                             exchange.reset();
                           });
  }
}

}  // namespace talosmq::kafka
