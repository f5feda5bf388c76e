#pragma once

#include "group/classic_group.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/group/classic_world.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::group {

/// One classic group, and what its members say and hear.
class ClassicGroupTest : public testing::Test {
 protected:
  using Joined = ClassicWorld::Joined;
  using Synced = ClassicWorld::Synced;

  static ClassicJoinRequest Static(const std::string& instance_id, const std::string& id = "") {
    ClassicJoinRequest request = ClassicWorld::JoinRequest(id);
    request.instance_id = instance_id;
    return request;
  }

  static ClassicJoinRequest With(std::vector<ClassicProtocol> protocols) {
    ClassicJoinRequest request = ClassicWorld::JoinRequest("");
    request.protocols = std::move(protocols);
    return request;
  }

  static Reason ReasonOfJoin(const Joined& joined) {
    return joined->has_value() ? ReasonOf((*joined)->status) : Reason::kDeadlineExceeded;
  }
  static Reason ReasonOfSync(const Synced& synced) {
    return synced->has_value() ? ReasonOf((*synced)->status()) : Reason::kDeadlineExceeded;
  }
  static const ClassicJoinReply& Reply(const Joined& joined) { return joined->value().reply; }
  static std::string AssignmentOf(const Synced& synced) {
    return ReasonOfSync(synced) == Reason::kNone ? (*synced)->value().assignment : "no answer";
  }

  /// So many dynamic members in a stable group of generation 1, each assigned its own id; the first
  /// one leads.
  std::vector<std::string> Stable(size_t count) {
    std::vector<Joined> joins;
    for (size_t i = 0; i < count; ++i) joins.push_back(world_.Join(""));
    return Settle(joins);
  }

  /// The joins' generation begins once the first members have waited, and the first one assigns.
  std::vector<std::string> Settle(const std::vector<Joined>& joins) {
    world_.Advance(absl::Seconds(6));
    std::vector<std::string> ids;
    std::map<std::string, std::string> assignments;
    for (const Joined& joined : joins) {
      ids.push_back(Reply(joined).member_id);
      assignments[ids.back()] = "for " + ids.back();
    }
    for (const Joined& joined : joins) {
      const ClassicJoinReply& reply = Reply(joined);
      world_.Sync(reply.member_id, reply.generation,
                  reply.leader == reply.member_id ? assignments : decltype(assignments)());
    }
    EXPECT_EQ(world_.group().state(), GroupState::kStable);
    return ids;
  }

  ClassicWorld world_{CoordinatorOptions{}};
};

}  // namespace talosmq::group
