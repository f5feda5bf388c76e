#pragma once

#include "cli/document.h"
#include "talosmq/ids.h"
#include "talosmq/record.h"

#include <string_view>

namespace talosmq::cli {

/// A consumed record with topic, partition, offset, timestamp_ms, key, value and headers (a list,
/// since keys may repeat and order counts). Bytes that are not UTF-8 stand as "key_base64" or
/// "value_base64" in place of "key" or "value", so that nothing is lost.
Document DescribeRecord(std::string_view topic, PartitionId partition,
                        const ConsumedRecord& record);

}  // namespace talosmq::cli
