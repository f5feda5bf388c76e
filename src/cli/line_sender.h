#pragma once

#include "cli/produce_options.h"
#include "talosmq/producer.h"

#include "absl/status/status.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace talosmq::cli {

/// Makes a record of a line and gives it to a producer, with the number of the line as its tag.
/// Thread-compatible. Borrows both, and they outlive it.
class LineSender {
 public:
  LineSender(const ProduceOptions& options, Producer& producer);

  /// kInvalidArgument for a line without the key delimiter; else the producer's answer.
  absl::Status Send(std::string_view line, int64_t line_number);

 private:
  const ProduceOptions& options_;
  Producer& producer_;
  std::vector<Header> headers_;
};

}  // namespace talosmq::cli
