#pragma once

#include "base/executor.h"
#include "group/group_requests.h"
#include "group/output.h"

#include "absl/status/status.h"

#include <string>
#include <utility>
#include <vector>

namespace talosmq::group {

/// Has `done`, which is null from now on, called with `answer` among the replies.
template <typename Done, typename Answer>
void Reply(std::vector<PendingReply>& replies, Done& done, Answer answer) {
  replies.emplace_back([done = std::exchange(done, nullptr),
                        answer = std::move(answer)](const absl::Status& committed) mutable {
    if (!committed.ok()) FailAnswer(answer, committed);
    done(std::move(answer));
  });
}

inline void FailJoin(std::vector<PendingReply>& replies, ClassicJoinDone& done,
                     const std::string& member_id, const absl::Status& why) {
  Reply(replies, done, ClassicJoinOutcome{.status = why, .reply = {.member_id = member_id}});
}

inline void FailSync(std::vector<PendingReply>& replies, ClassicSyncDone& done,
                     const absl::Status& why) {
  Reply(replies, done, absl::StatusOr<ClassicSyncReply>(why));
}

}  // namespace talosmq::group
