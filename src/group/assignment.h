#pragma once

#include "group/group_records.h"
#include "group/topic_catalogue.h"
#include "talosmq/ids.h"

#include <map>
#include <string>
#include <vector>

namespace talosmq::group {

/// Who is to read what.
using Assignment = std::map<TopicPartition, std::string>;

struct AssignedMember {
  std::string id;
  std::vector<TopicId> topics;  ///< Ascending, each once, all in the catalogue.
};

/// Deals every partition of the topics that somebody subscribes to a member that does. Pure; the
/// same for the same input, whatever the process. `current` says who has what now; it may name
/// members and partitions that are no more.
///
/// kSticky: members with the same subscription differ by one partition at most; no partition moves
/// that could stay. With different subscriptions nobody could be given a partition of somebody who
/// has two more. kLagAware: the same in the records that wait (the ends of the catalogue less the
/// committed offsets), each partition counting as one more record.
Assignment Assign(Assignor assignor, const TopicCatalogue& topics,
                  const std::vector<AssignedMember>& members, const Assignment& current,
                  const std::map<TopicPartition, int64_t>& lags);

}  // namespace talosmq::group
