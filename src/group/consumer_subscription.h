#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace talosmq::group {

/// The topics in what a Kafka consumer tells of itself when it joins a group: the metadata of each
/// protocol of the type "consumer". Only the beginning is read, which all versions have in common:
/// version int16, count int32, and for each topic length int16 and name, big-endian. Nothing: it
/// says something else.
std::optional<std::set<std::string>> TopicsOfConsumer(std::string_view metadata);

}  // namespace talosmq::group
