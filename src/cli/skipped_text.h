#pragma once

#include "talosmq/consumer.h"

#include <string>

namespace talosmq::cli {

/// What was left out of a partition and why, for people.
std::string DescribeSkipped(const SkippedOffsets& skipped);

}  // namespace talosmq::cli
