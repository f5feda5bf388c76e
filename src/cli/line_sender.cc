#include "cli/line_sender.h"

#include "base/status.h"
#include "base/text.h"

namespace talosmq::cli {

LineSender::LineSender(const ProduceOptions& options, Producer& producer)
    : options_(options), producer_(producer) {
  for (const KeyValue& header : options.headers) {
    headers_.push_back({.key = header.key, .value = header.value});
  }
}

absl::Status LineSender::Send(std::string_view line, int64_t line_number) {
  Record record;
  record.value = line;
  record.headers = headers_;
  if (options_.key_delimiter.has_value()) {
    const std::string& delimiter = *options_.key_delimiter;
    const size_t split = line.find(delimiter);
    if (split == std::string_view::npos) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("no key: '", base::Printable(delimiter, 16),
                                    "' (-k) is not in the line '", base::Printable(line, 64), "'"));
    }
    record.key = line.substr(0, split);
    record.value = line.substr(split + delimiter.size());
  }
  const auto tag = static_cast<uint64_t>(line_number);
  if (!options_.partition.has_value()) return producer_.Send(record, tag);
  return producer_.Send(PartitionId(*options_.partition), record, tag);
}

}  // namespace talosmq::cli
