#pragma once

#include "base/bytes.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace talosmq::io {

/// A descriptor that becomes readable when a wait should end; kNeverStops for none.
inline constexpr int kNeverStops = -1;

/// Bytes that come one after another, of any number: a file, a pipe, a terminal, standard input.
/// Unlike File it has no positions, so it reads what cannot seek. Thread-compatible. Owns the
/// descriptor that it opened; standard input stays open.
class InputStream {
 public:
  /// "-" is standard input. `stop` ends a wait for bytes; borrowed, outlives the stream.
  static absl::StatusOr<std::unique_ptr<InputStream>> Open(const std::string& path, int stop);

  InputStream(const InputStream&) = delete;
  InputStream& operator=(const InputStream&) = delete;
  ~InputStream();

  /// Waits for bytes and reads some of them; 0 only at the end. Reason::kCancelled once `stop` is
  /// readable.
  absl::StatusOr<size_t> Read(base::MutableByteSpan into);

 private:
  InputStream(std::string name, int descriptor, int stop)
      : name_(std::move(name)), descriptor_(descriptor), stop_(stop) {}
  absl::Status WaitForBytes();

  const std::string name_;  ///< For error messages.
  const int descriptor_;
  const int stop_;
};

/// Writes to a descriptor that somebody else opened and closes: standard output or error.
/// Thread-compatible.
class OutputStream {
 public:
  explicit OutputStream(int descriptor) : descriptor_(descriptor) {}

  /// Writes all of it. Reason::kClosed when nobody reads the other end any more (SIGPIPE must be
  /// ignored by the process).
  absl::Status Write(std::string_view text);
  /// True when people look at it.
  bool IsTerminal() const;

 private:
  const int descriptor_;
};

}  // namespace talosmq::io
