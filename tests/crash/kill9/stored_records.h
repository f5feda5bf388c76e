#pragma once

#include "talosmq/client.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::kill9 {

/// One record where it was found.
struct StoredRecord {
  PartitionId partition;
  Offset offset;
  std::string value;
};

/// All committed records of a topic, partition by partition, in the order in which a consumer gives
/// them.
absl::StatusOr<std::vector<StoredRecord>> ReadTopic(Client& client, const std::string& topic);

/// All records in the published files of a dump below `directory`, in no order; every line must be
/// whole and a JSON object. What begins with '.' or '_' is not published.
absl::StatusOr<std::vector<StoredRecord>> ReadDump(const std::string& directory);

}  // namespace talosmq::kill9
