#pragma once

#include "group/group_records.h"
#include "group/group_requests.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::group {

struct ClassicMember {
  MemberRecord record;
  ClassicJoinDone join = {};  ///< Waits for the next generation; null: nobody does.
  ClassicSyncDone sync = {};  ///< Waits for the leader's assignment; null: nobody does.
  bool is_new = false;        ///< No join of it was answered yet.
  /// It was told of this generation and has not asked for its assignment yet.
  bool owes_sync = false;

  bool is_parked() const { return join != nullptr || sync != nullptr; }
};

/// Of its ids, names and protocols; what the leader assigns is not counted.
size_t MemberBytes(const std::string& id, const MemberRecord& record);

/// The members of one classic group by their ids, and what has to be known of all of them at once.
/// Invariant: an instance id has one member at most. Thread-compatible.
class ClassicMembers {
 public:
  using Map = std::map<std::string, ClassicMember>;

  /// Adds a member, or replaces what is known of it; what waits of it stays.
  ClassicMember& Put(const std::string& id, MemberRecord record);
  /// Takes out the member, which is there.
  ClassicMember Take(const std::string& id);

  bool empty() const { return by_id_.empty(); }
  size_t size() const { return by_id_.size(); }
  Map::iterator begin() { return by_id_.begin(); }
  Map::iterator end() { return by_id_.end(); }
  Map::const_iterator begin() const { return by_id_.begin(); }
  Map::const_iterator end() const { return by_id_.end(); }
  /// nullptr when there is none.
  ClassicMember* Find(const std::string& id);
  const ClassicMember* Find(const std::string& id) const;
  /// The id of the member with this instance id; empty when there is none.
  std::string MemberOf(const std::string& instance_id) const;

  /// Whether all members have one of the protocols.
  bool AllHaveOneOf(const std::map<std::string, std::string>& protocols) const;
  /// The protocol that most members like best among those that all have; of several the first by
  /// name. Nothing when they have none in common.
  std::optional<std::string> Vote() const;
  /// The longest of all.
  absl::Duration rebalance_timeout() const;
  /// MemberBytes of all.
  size_t bytes() const { return bytes_; }
  /// The share of one member; 0 when there is none.
  size_t BytesOf(const std::string& id) const;

  absl::Status Check() const;

 private:
  bool AllHave(const std::string& protocol) const;
  void Count(const std::string& id, const MemberRecord& record);
  void Uncount(const std::string& id, const MemberRecord& record);

  Map by_id_;
  std::map<std::string, std::string> by_instance_;
  std::map<std::string, size_t> members_with_;  ///< By protocol; none is 0.
  size_t bytes_ = 0;
};

}  // namespace talosmq::group
