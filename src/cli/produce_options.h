#pragma once

#include "cli/key_value.h"
#include "talosmq/producer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::cli {

/// What `produce` was told.
struct ProduceOptions {
  std::string topic;
  std::string file = "-";                    ///< "-": standard input.
  std::optional<std::string> key_delimiter;  ///< What stands between key and value of a line.
  std::optional<int32_t> partition;
  Compression compression = Compression::kNone;
  Acks acks = Acks::kAll;
  std::vector<KeyValue> headers;  ///< Of every record.
};

}  // namespace talosmq::cli
