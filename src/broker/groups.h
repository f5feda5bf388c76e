#pragma once

#include "group/group_requests.h"

#include <string>

namespace talosmq::broker {

/// Consumer groups, whatever protocol asked. Same threading rules as MessageService: every callback
/// runs exactly once and must not block. While the coordinator of a group loads or cannot confirm
/// that it still is the coordinator, a call is answered with kCoordinatorNotAvailable.
class GroupService {
 public:
  virtual ~GroupService() = default;

  virtual void Heartbeat(group::HeartbeatRequest request, group::HeartbeatDone done) = 0;
  virtual void Leave(group::LeaveRequest request, group::StatusDone done) = 0;
  virtual void Commit(group::CommitRequest request, group::CommitDone done) = 0;
  virtual void FetchOffsets(group::OffsetsRequest request, group::OffsetsDone done) = 0;
  virtual void Reset(group::ResetRequest request, group::CommitDone done) = 0;
  virtual void Forget(group::ForgetRequest request, group::ForgetDone done) = 0;
  virtual void Delete(std::string group, group::StatusDone done) = 0;
  /// Of all coordinators of this broker.
  virtual void List(group::ListDone done) = 0;
  virtual void Describe(std::string group, group::DescribeDone done) = 0;

  /// Answers all that waits, and every later call, with kShuttingDown.
  virtual void Drain() = 0;

  virtual void Join(group::ClassicJoinRequest request, group::ClassicJoinDone done) = 0;
  virtual void Sync(group::ClassicSyncRequest request, group::ClassicSyncDone done) = 0;
  virtual void ClassicHeartbeat(group::ClassicHeartbeatRequest request, group::StatusDone done) = 0;
  virtual void ClassicLeave(group::ClassicLeaveRequest request, group::ClassicLeaveDone done) = 0;
};

}  // namespace talosmq::broker
