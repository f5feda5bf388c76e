#pragma once

#include "CLI/CLI.hpp"
#include "cli/command.h"
#include "cli/settings.h"

#include <memory>

namespace talosmq::cli {

/// Every command with its options, arguments and help, ready to parse a command line once. What
/// parses, the help, the completion of shells and the reference page all come out of it.
///
/// An option tells what it takes by its type name: "a|b|c", in small letters, is a choice of these
/// words, capital ones name a form (SIZE, KEY=VALUE). `flags` takes the global flags, `selected`
/// the command that was given; both are borrowed and outlive the tree.
std::unique_ptr<CLI::App> MakeCommandTree(Settings& flags, Action& selected);

/// False for a flag.
inline bool TakesValue(const CLI::Option& option) { return option.get_expected_max() > 0; }

/// Whether it may stand several times, each time with another value.
inline bool MayBeRepeated(const CLI::Option& option) {
  return option.get_expected_max() > 1 ||
         option.get_multi_option_policy() != CLI::MultiOptionPolicy::Throw;
}

}  // namespace talosmq::cli
