#include "base/clock.h"
#include "cli/command_line.h"
#include "io/file_system.h"
#include "io/stream.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  namespace cli = talosmq::cli;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::unique_ptr<talosmq::io::FileSystem> file_system = talosmq::io::MakePosixFileSystem();
  const talosmq::base::SystemClock clock;
  talosmq::io::OutputStream out(STDOUT_FILENO);
  talosmq::io::OutputStream err(STDERR_FILENO);
  const cli::ExitStatus status = cli::RunCommandLine(arguments, cli::Environment::OfProcess(),
                                                     {.file_system = *file_system,
                                                      .clock = clock,
                                                      .interrupt = cli::Interrupt::Install(),
                                                      .out = out,
                                                      .err = err});
  return static_cast<int>(status);
}
