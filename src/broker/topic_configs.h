#pragma once

#include "broker/topics.h"

#include <cstdint>
#include <vector>

namespace talosmq::broker {

/// Of each of its partitions.
int32_t ReplicasOf(const metadata::TopicImage& topic);

/// All keys of the topic with the value in force, in key order.
std::vector<ConfigEntry> ConfigsOf(const metadata::TopicImage& topic);

}  // namespace talosmq::broker
