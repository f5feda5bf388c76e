#include "cli/line_reader.h"

#include "base/status.h"
#include "base/text.h"

#include <algorithm>
#include <span>
#include <utility>

namespace talosmq::cli {
namespace {

constexpr size_t kBlockBytes = 256 << 10;

}  // namespace

LineReader::LineReader(ReadBytes read, size_t line_bytes_max)
    : read_(std::move(read)), line_bytes_max_(line_bytes_max) {}

absl::StatusOr<std::optional<std::string_view>> LineReader::Next() {
  while (true) {
    const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
    const size_t newline = rest.find('\n', scanned_ - begin_);
    if (newline != std::string_view::npos && newline <= line_bytes_max_) {
      return Take(newline, newline + 1);
    }
    if (newline != std::string_view::npos || rest.size() > line_bytes_max_) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("line ", line_number_ + 1, " is longer than the ",
                                    line_bytes_max_, " bytes that a record may have"));
    }
    scanned_ = end_;
    if (is_at_end_) {
      if (rest.empty()) return std::nullopt;
      return Take(rest.size(), rest.size());
    }
    TALOSMQ_RETURN_IF_ERROR(Fill());
  }
}

std::string_view LineReader::Take(size_t size, size_t size_with_newline) {
  const std::string_view line(buffer_.data() + begin_, size);
  begin_ += size_with_newline;
  scanned_ = begin_;
  ++line_number_;
  return line;
}

absl::Status LineReader::Fill() {
  // What is left of the last block moves to the front; the buffer grows only for a line that is
  // longer than all before, by the bytes that have come.
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  scanned_ -= begin_;
  begin_ = 0;
  if (buffer_.size() - end_ < kBlockBytes) buffer_.resize(std::max(2 * end_, end_ + kBlockBytes));
  const auto room = std::as_writable_bytes(std::span(buffer_)).subspan(end_);
  TALOSMQ_ASSIGN_OR_RETURN(const size_t count, read_(room));
  end_ += count;
  is_at_end_ = count == 0;
  return absl::OkStatus();
}

}  // namespace talosmq::cli
