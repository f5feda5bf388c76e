#pragma once

#include "base/clock.h"
#include "cli/command_line.h"
#include "cli/interrupt.h"
#include "io/stream.h"
#include "support/memory_file_system.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace talosmq::cli {

/// Takes what is written to a descriptor.
class Captured {
 public:
  Captured() : descriptor_(::memfd_create("captured", MFD_CLOEXEC)), stream_(descriptor_) {}
  ~Captured() { ::close(descriptor_); }
  io::OutputStream& stream() { return stream_; }
  std::string text() const {
    std::array<char, 65536> bytes{};
    const ssize_t size = ::pread(descriptor_, bytes.data(), bytes.size(), 0);
    return {bytes.data(), static_cast<size_t>(std::max<ssize_t>(size, 0))};
  }

 private:
  const int descriptor_;
  io::OutputStream stream_;
};

/// What a command line came to.
struct Outcome {
  ExitStatus status;
  std::string out;
  std::string err;
};

inline Outcome RunTalosmq(const std::vector<std::string>& arguments,
                          const Environment& environment = {}) {
  support::MemoryFileSystem file_system;
  const base::SystemClock clock;
  Captured out;
  Captured err;
  const ExitStatus status = RunCommandLine(arguments, environment,
                                           {.file_system = file_system,
                                            .clock = clock,
                                            .interrupt = Interrupt::Install(),
                                            .out = out.stream(),
                                            .err = err.stream()});
  return {.status = status, .out = out.text(), .err = err.text()};
}

}  // namespace talosmq::cli
