#include "cli/progress.h"

#include "base/text.h"

#include "absl/strings/str_format.h"

#include <algorithm>

namespace talosmq::cli {
namespace {

constexpr uint32_t kCallsPerLook = 1024;
constexpr absl::Duration kPaintInterval = absl::Milliseconds(200);
constexpr std::string_view kWipeLine = "\r\x1b[K";
constexpr double kBytesPerMegabyte = 1e6;

/// 1234567 as "1,234,567".
std::string Grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

}  // namespace

std::string DescribeRate(int64_t records, int64_t bytes, absl::Duration took) {
  // Work that took no measurable time has no rate worth telling.
  const double seconds = std::max(absl::ToDoubleSeconds(took), 1e-6);
  const double megabytes = static_cast<double>(bytes) / kBytesPerMegabyte;
  return absl::StrFormat("%s records, %.1f MB in %.2f s (%s records/s, %.1f MB/s)",
                         Grouped(records), megabytes, seconds,
                         Grouped(static_cast<int64_t>(static_cast<double>(records) / seconds)),
                         megabytes / seconds);
}

Progress::Progress(io::OutputStream& err, const base::Clock& clock)
    : err_(err),
      clock_(clock),
      is_shown_(err.IsTerminal()),
      began_(clock.Monotonic()),
      painted_(began_) {}

Progress::~Progress() {
  if (has_line_) err_.Write(kWipeLine).IgnoreError();
}

void Progress::Show(int64_t records, int64_t bytes) {
  if (!is_shown_ || calls_++ % kCallsPerLook != 0) return;
  const absl::Duration now = clock_.Monotonic();
  if (now - painted_ < kPaintInterval) return;
  painted_ = now;
  has_line_ = true;
  err_.Write(base::StrCat(kWipeLine, DescribeRate(records, bytes, now - began_))).IgnoreError();
}

}  // namespace talosmq::cli
