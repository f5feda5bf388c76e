#include "group/classic_members.h"

#include "base/check.h"
#include "base/text.h"

#include <algorithm>
#include <utility>

namespace talosmq::group {

size_t MemberBytes(const std::string& id, const MemberRecord& record) {
  size_t bytes =
      id.size() + record.instance_id.size() + record.client_id.size() + record.host.size();
  for (const auto& [name, metadata] : record.protocols) bytes += 2 * name.size() + metadata.size();
  return bytes;
}

ClassicMember& ClassicMembers::Put(const std::string& id, MemberRecord record) {
  const auto [member, is_new] = by_id_.try_emplace(id);
  if (!is_new) Uncount(id, member->second.record);
  Count(id, record);
  member->second.record = std::move(record);
  return member->second;
}

ClassicMember ClassicMembers::Take(const std::string& id) {
  const auto member = by_id_.find(id);
  TALOSMQ_CHECK(member != by_id_.end()) << id;
  Uncount(id, member->second.record);
  ClassicMember taken = std::move(member->second);
  by_id_.erase(member);
  return taken;
}

void ClassicMembers::Count(const std::string& id, const MemberRecord& record) {
  for (const auto& [name, metadata] : record.protocols) ++members_with_[name];
  if (!record.instance_id.empty()) by_instance_[record.instance_id] = id;
  bytes_ += MemberBytes(id, record);
}

void ClassicMembers::Uncount(const std::string& id, const MemberRecord& record) {
  for (const auto& [name, metadata] : record.protocols) {
    const auto count = members_with_.find(name);
    if (--count->second == 0) members_with_.erase(count);
  }
  by_instance_.erase(record.instance_id);
  bytes_ -= MemberBytes(id, record);
}

ClassicMember* ClassicMembers::Find(const std::string& id) {
  const auto member = by_id_.find(id);
  return member != by_id_.end() ? &member->second : nullptr;
}

const ClassicMember* ClassicMembers::Find(const std::string& id) const {
  const auto member = by_id_.find(id);
  return member != by_id_.end() ? &member->second : nullptr;
}

std::string ClassicMembers::MemberOf(const std::string& instance_id) const {
  const auto member = by_instance_.find(instance_id);
  return member != by_instance_.end() ? member->second : "";
}

size_t ClassicMembers::BytesOf(const std::string& id) const {
  const ClassicMember* const member = Find(id);
  return member != nullptr ? MemberBytes(id, member->record) : 0;
}

bool ClassicMembers::AllHaveOneOf(const std::map<std::string, std::string>& protocols) const {
  return std::ranges::any_of(protocols,
                             [this](const auto& protocol) { return AllHave(protocol.first); });
}

bool ClassicMembers::AllHave(const std::string& protocol) const {
  const auto count = members_with_.find(protocol);
  return count != members_with_.end() && count->second == size();
}

std::optional<std::string> ClassicMembers::Vote() const {
  std::map<std::string, size_t> votes;
  for (const auto& [id, member] : by_id_) {
    const auto best = std::ranges::find_if(
        member.record.preference, [this](const std::string& name) { return AllHave(name); });
    if (best != member.record.preference.end()) ++votes[*best];
  }
  const auto winner =
      std::ranges::max_element(votes, {}, [](const auto& entry) { return entry.second; });
  if (winner == votes.end()) return std::nullopt;
  return winner->first;
}

absl::Duration ClassicMembers::rebalance_timeout() const {
  absl::Duration longest = absl::ZeroDuration();
  for (const auto& [id, member] : by_id_) {
    longest = std::max(longest, member.record.rebalance_timeout);
  }
  return longest;
}

absl::Status ClassicMembers::Check() const {
  ClassicMembers counted;
  for (const auto& [id, member] : by_id_) counted.Put(id, member.record);
  if (counted.by_instance_ != by_instance_) return absl::InternalError("instance ids are wrong");
  if (counted.members_with_ != members_with_) return absl::InternalError("protocols are wrong");
  if (counted.bytes_ != bytes_) return absl::InternalError("bytes are wrong");
  return absl::OkStatus();
}

}  // namespace talosmq::group
