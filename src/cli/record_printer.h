#pragma once

#include "cli/document.h"
#include "cli/record_format.h"
#include "io/stream.h"
#include "talosmq/ids.h"
#include "talosmq/record.h"

#include "absl/status/status.h"

#include <string>

namespace talosmq::cli {

/// Prints consumed records, always whole ones: they gather in memory and are written in large
/// pieces. Thread-compatible. Borrows the stream, which outlives it.
class RecordPrinter {
 public:
  struct Options {
    std::string topic;
    OutputForm form = OutputForm::kTable;
    RecordFormat format = RecordFormat::ValueLines();  ///< Only used for kTable.
  };

  RecordPrinter(Options options, io::OutputStream& out);

  /// Fails only when it writes: with Reason::kClosed when the reader has gone.
  absl::Status Print(PartitionId partition, const ConsumedRecord& record);
  /// Writes what has gathered.
  absl::Status Flush();

 private:
  const Options options_;
  io::OutputStream& out_;
  std::string gathered_;
};

}  // namespace talosmq::cli
