#include "cli/record_printer.h"

#include "cli/record_document.h"

#include <utility>

namespace talosmq::cli {
namespace {

constexpr size_t kWriteBytes = 256 << 10;

}  // namespace

RecordPrinter::RecordPrinter(Options options, io::OutputStream& out)
    : options_(std::move(options)), out_(out) {}

absl::Status RecordPrinter::Print(PartitionId partition, const ConsumedRecord& record) {
  if (options_.form == OutputForm::kTable) {
    options_.format.Append(options_.topic, partition, record, gathered_);
  } else {
    gathered_ += RenderStreamed(DescribeRecord(options_.topic, partition, record), options_.form);
  }
  return gathered_.size() < kWriteBytes ? absl::OkStatus() : Flush();
}

absl::Status RecordPrinter::Flush() {
  const absl::Status written = out_.Write(gathered_);
  gathered_.clear();
  return written;
}

}  // namespace talosmq::cli
