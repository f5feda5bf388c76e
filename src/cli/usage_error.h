#pragma once

#include "CLI/CLI.hpp"

#include <string>

namespace talosmq::cli {

/// What to tell somebody whose command line did not parse: what is wrong, what was probably meant,
/// and how the command is used as far as it was understood.
std::string DescribeUsageError(const CLI::App& app, const CLI::ParseError& error);

/// The command that was understood, in words: "topic create"; empty when none was.
std::string CommandPath(const CLI::App& app);

}  // namespace talosmq::cli
