#pragma once

#include "base/executor.h"
#include "client/client_core.h"
#include "talosmq/group.h"
#include "talosmq/ids.h"
#include "talosmq/v1/consumer.pb.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::client {

/// As whom a commit is made; without a member id as nobody, which a group with members refuses.
struct GroupIdentity {
  std::string group;
  std::string member_id;
  int32_t generation = 0;
};

struct OffsetCommit {
  TopicPartition partition;
  Offset offset;
  std::string metadata = {};
  std::optional<Offset> expected = {};  ///< See OffsetToCommit.
};

using CommitDone = base::Callback<std::vector<absl::Status>>;
using CommittedOffsets = std::map<TopicPartition, CommittedOffset>;

/// True when the same call may well succeed a little later, also where its answer was lost.
bool IsGroupTransient(const absl::Status& status);

/// The first outcome that is no success, with its partition's name; OK without one.
absl::Status FirstError(const std::vector<TopicPartition>& partitions,
                        const std::vector<absl::Status>& outcomes);

absl::StatusOr<TopicPartition> ReadGroupPartition(const std::string& topic_id, int32_t partition);
absl::StatusOr<CommittedOffsets> ReadCommittedOffsets(
    const google::protobuf::RepeatedPtrField<v1::CommittedOffset>& offsets);

/// Ends a commit that is under way: what has no outcome yet has this one.
using EndCommit = base::Callback<const absl::Status&>;

/// Partitions in one call; a server takes no more.
inline constexpr size_t kCommitPartitionsMax = 10'000;

/// Commits, all the time as the same identity, and tells the outcome of each in their order: within
/// EndCommit, or later than this call. Makes calls of kCommitPartitionsMax. Sends what failed
/// transiently again, up to the client's request_timeout. A commit with an expected offset whose
/// answer was lost is sent once: its outcome is kMaybeStored. Each partition at most once. Confined
/// to the executor.
EndCommit CommitOffsets(ClientCore& core, GroupIdentity identity, std::vector<OffsetCommit> commits,
                        CommitDone done);

/// What is committed of these partitions; of all that the group has when there are none. What was
/// never committed is left out. Asks again while the answer is transient, up to the client's
/// request_timeout. Thread-safe; `done` runs on the executor.
void FetchCommittedOffsets(ClientCore& core, std::string group,
                           std::vector<TopicPartition> partitions,
                           base::Callback<absl::StatusOr<CommittedOffsets>> done);

}  // namespace talosmq::client
