#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "base/text.h"
#include "io/file_system.h"
#include "server/command_line.h"
#include "server/config.h"
#include "server/config_file.h"
#include "server/server.h"
#include "server/supervisor.h"

#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <utility>

namespace talosmq::server {
namespace {

constexpr int kFailed = 1;
/// Heaps of malloc. glibc would make eight for each core, and each keeps its own leftovers.
constexpr int kMallocArenasMax = 4;

absl::StatusOr<ServerConfig> LoadConfig(const CommandLine& command, io::FileSystem& file_system) {
  std::vector<ConfigEntry> entries;
  if (!command.config_file.empty()) {
    TALOSMQ_ASSIGN_OR_RETURN(const std::string text,
                             io::ReadFile(file_system, command.config_file, kConfigFileBytesMax));
    TALOSMQ_ASSIGN_OR_RETURN(entries, ParseConfigFile(text, command.config_file));
  }
  entries.insert(entries.end(), command.settings.begin(), command.settings.end());
  return MakeConfig(entries);
}

/// Must precede the first thread: threads inherit what is blocked.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

void TellStart(const ServerConfig& config) {
  base::LogInfo("server", "talosmqd ", Version(), ": data directory ", config.data_dir);
  if (config.insecure_network) {
    base::LogWarning("server",
                     "security.insecure_network is set: listeners off loopback let "
                     "whoever reaches them read, write and delete everything");
  }
}

absl::Status Serve(ServerConfig config, io::FileSystem& file_system, const Supervisor& supervisor) {
  const bool for_journal = config.log_form == base::LogForm::kText && StdoutIsJournal();
  base::ConfigureLog(config.log_level, for_journal ? base::LogForm::kJournal : config.log_form);
  const sigset_t signals = BlockStopSignals();
  if (config.data_dir.empty()) {
    TALOSMQ_ASSIGN_OR_RETURN(config.data_dir, DefaultDataDirectory());
  }
  TellStart(config);
  base::SystemClock clock;
  base::SystemRandom random;
  TALOSMQ_ASSIGN_OR_RETURN(const auto server,
                           Server::Start(std::move(config), {file_system, clock, random}));
  const std::string ready =
      base::StrCat("ready: grpc ", server->ports().grpc, ", http ", server->ports().http);
  base::LogInfo("server", ready);
  supervisor.TellReady(ready);
  int signal = 0;
  sigwait(&signals, &signal);
  // Further signals stay blocked: a stop that has begun is finished.
  const std::string stopping =
      base::StrCat("stopping on ", signal == SIGTERM ? "SIGTERM" : "SIGINT");
  base::LogInfo("server", stopping);
  supervisor.TellStopping(stopping);
  const absl::Status stopped = server->Stop();
  if (stopped.ok()) base::LogInfo("server", "stopped");
  return stopped;
}

int Run(int argc, const char* const* argv) {
  const ParsedCommandLine parsed = ParseCommandLine(argc, argv);
  if (!parsed.command.has_value()) return parsed.exit_status;
  const auto file_system = io::MakePosixFileSystem();
  const Supervisor supervisor = Supervisor::FromEnvironment();
  absl::StatusOr<ServerConfig> config = LoadConfig(*parsed.command, *file_system);
  if (!config.ok()) {
    std::fprintf(stderr, "talosmqd: %s\n", std::string(config.status().message()).c_str());
    supervisor.TellFailed(base::FromAbsl(config.status().message()));
    return kFailed;
  }
  if (parsed.command->action == CommandLine::Action::kPrintConfig) {
    std::fputs(RenderConfigPage(*config).c_str(), stdout);
    return 0;
  }
  const absl::Status served = Serve(*std::move(config), *file_system, supervisor);
  if (served.ok()) return 0;
  base::LogError("server", served.message());
  supervisor.TellFailed(base::FromAbsl(served.message()));
  return kFailed;
}

}  // namespace
}  // namespace talosmq::server

int main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, talosmq::server::kMallocArenasMax);
  return talosmq::server::Run(argc, argv);
}
