#pragma once

#include "base/clock.h"
#include "io/stream.h"

#include "absl/time/time.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::cli {

/// How much was moved, and how fast: "63,000 records, 49.8 MB in 0.41 s (153,000 records/s, 121.5
/// MB/s)".
std::string DescribeRate(int64_t records, int64_t bytes, absl::Duration took);

/// A line on a terminal that shows how far long work has come; nothing where no people look.
/// Thread-compatible. Wipes its line when it goes.
class Progress {
 public:
  Progress(io::OutputStream& err, const base::Clock& clock);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// Cheap: looks at the clock at every 1,024th call only, and paints at most five times a second.
  void Show(int64_t records, int64_t bytes);
  absl::Duration elapsed() const { return clock_.Monotonic() - began_; }

 private:
  io::OutputStream& err_;
  const base::Clock& clock_;
  const bool is_shown_;
  const absl::Duration began_;
  absl::Duration painted_;
  uint32_t calls_ = 0;
  bool has_line_ = false;
};

}  // namespace talosmq::cli
