#pragma once

#include "group/group_requests.h"
#include "group/output.h"

#include "absl/status/status.h"

#include <string>
#include <utility>

namespace talosmq::group {

// Each refuses the call whose `done` this is, which is null from now on.

inline void FailJoin(Output& output, ClassicJoinDone& done, const std::string& member_id,
                     const absl::Status& why) {
  AddReply(output, std::exchange(done, nullptr),
           ClassicJoinOutcome{.status = why, .reply = {.member_id = member_id}});
}

inline void FailSync(Output& output, ClassicSyncDone& done, const absl::Status& why) {
  AddReply(output, std::exchange(done, nullptr), absl::StatusOr<ClassicSyncReply>(why));
}

}  // namespace talosmq::group
