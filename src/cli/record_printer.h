#pragma once

#include "cli/document.h"
#include "cli/record_format.h"
#include "talosmq/ids.h"
#include "talosmq/record.h"

#include "absl/status/status.h"

#include <functional>
#include <string>
#include <string_view>

namespace talosmq::cli {

/// Prints consumed records, always whole ones: they gather in memory and are written in large
/// pieces. Thread-compatible.
class RecordPrinter {
 public:
  struct Options {
    std::string topic;
    OutputForm form = OutputForm::kTable;
    RecordFormat format = RecordFormat::ValueLines();  ///< Only used for kTable.
  };

  /// Writes all of it; Reason::kClosed when the reader has gone.
  using Write = std::function<absl::Status(std::string_view)>;

  RecordPrinter(Options options, Write write);

  void Print(PartitionId partition, const ConsumedRecord& record);
  /// Enough has gathered to be written.
  bool IsFull() const;
  /// Writes what has gathered. After a failure nothing is written any more, and it is told again.
  absl::Status Flush();

 private:
  const Options options_;
  const Write write_;
  std::string gathered_;
  absl::Status written_;
};

}  // namespace talosmq::cli
