#pragma once

#include "cli/session.h"
#include "cli/settings.h"

#include <string>
#include <vector>

namespace talosmq::cli {

/// The whole program but for what only a process has: reads the arguments (without the program's
/// name), finds the settings, runs the command. Wrong usage is told with the nearest right form.
ExitStatus RunCommandLine(const std::vector<std::string>& arguments, const Environment& environment,
                          const Session::Deps& deps);

}  // namespace talosmq::cli
