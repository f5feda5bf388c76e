#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace talosmq::client {

/// MurmurHash2 with Kafka's seed, byte for byte as org.apache.kafka.common.utils.Utils.murmur2.
uint32_t Murmur2(base::ByteSpan bytes);

/// Where Kafka's Java client would send a record with this key: (murmur2 & 0x7fffffff) % count.
/// `partition_count` is at least 1.
int32_t PartitionOfKey(base::ByteSpan key, int32_t partition_count);

}  // namespace talosmq::client
