#pragma once

#include "talosmq/ids.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace talosmq::group {

struct CataloguedTopic {
  TopicId id;
  int32_t partitions = 0;
};

/// The topics that groups may read, by name; deleted and internal ones are not there. A value.
struct TopicCatalogue {
  std::map<std::string, CataloguedTopic, std::less<>> by_name = {};
  std::map<TopicId, std::string> name_of = {};
  /// Those that a record says are deleted. One that is in neither may just not be known (G10).
  std::set<TopicId> deleted = {};
};

}  // namespace talosmq::group
