#include "cli/record_printer.h"

#include "cli/record_document.h"

#include <utility>

namespace talosmq::cli {
namespace {

constexpr size_t kWriteBytes = 256 << 10;

}  // namespace

RecordPrinter::RecordPrinter(Options options, Write write)
    : options_(std::move(options)), write_(std::move(write)) {}

void RecordPrinter::Print(PartitionId partition, const ConsumedRecord& record) {
  if (options_.form == OutputForm::kTable) {
    options_.format.Append(options_.topic, partition, record, gathered_);
  } else {
    gathered_ += RenderStreamed(DescribeRecord(options_.topic, partition, record), options_.form);
  }
}

bool RecordPrinter::IsFull() const { return gathered_.size() >= kWriteBytes; }

absl::Status RecordPrinter::Flush() {
  if (written_.ok() && !gathered_.empty()) written_ = write_(gathered_);
  gathered_.clear();
  return written_;
}

}  // namespace talosmq::cli
