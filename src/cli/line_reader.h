#pragma once

#include "base/bytes.h"

#include "absl/status/statusor.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::cli {

/// Cuts a stream of any size into lines, holding no more of it than a line and a block. A newline
/// ends a line and is not part of it; what follows the last newline is a line too, unless it is
/// empty. Thread-compatible.
class LineReader {
 public:
  /// Fills some of the span; 0 only at the end.
  using ReadBytes = std::function<absl::StatusOr<size_t>(base::MutableByteSpan)>;

  LineReader(ReadBytes read, size_t line_bytes_max);

  /// The next line, nothing at the end. The view lives until the next call. A line longer than the
  /// bound is kInvalidArgument, naming its number.
  absl::StatusOr<std::optional<std::string_view>> Next();

  /// Of the line that Next() gave last; 1 for the first.
  int64_t line_number() const { return line_number_; }

 private:
  std::string_view Take(size_t size, size_t size_with_newline);
  absl::Status Fill();

  const ReadBytes read_;
  const size_t line_bytes_max_;
  std::string buffer_;
  size_t begin_ = 0;    ///< Where the rest of the buffer begins that no line has taken.
  size_t end_ = 0;      ///< Where what was read ends. Invariant: begin_ <= end_ <= buffer_.size().
  size_t scanned_ = 0;  ///< No newline lies in [begin_, scanned_).
  bool is_at_end_ = false;
  int64_t line_number_ = 0;
};

}  // namespace talosmq::cli
