#pragma once

#include "server/config.h"

#include <optional>
#include <string>
#include <vector>

namespace talosmq::server {

/// What the arguments of talosmqd ask for.
struct CommandLine {
  enum class Action { kServe, kPrintConfig };
  Action action = Action::kServe;
  std::string config_file;            ///< Empty: none.
  std::vector<ConfigEntry> settings;  ///< --data-dir, --roles and --set, which override the file.
};

/// Either what is asked for, or the status to exit with, after the words (help, version, what is
/// wrong) were printed: 0 or 2.
struct ParsedCommandLine {
  std::optional<CommandLine> command;
  int exit_status = 0;
};

ParsedCommandLine ParseCommandLine(int argc, const char* const* argv);

}  // namespace talosmq::server
