#include "cli/usage_error.h"

#include "base/text.h"
#include "cli/command_tree.h"
#include "cli/nearest.h"

#include <optional>
#include <vector>

namespace talosmq::cli {
namespace {

/// The chain of commands that were recognised, the program itself first.
std::vector<const CLI::App*> Chain(const CLI::App& app) {
  std::vector<const CLI::App*> chain = {&app};
  while (!chain.back()->get_subcommands().empty()) {
    chain.push_back(chain.back()->get_subcommands().front());
  }
  return chain;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> OptionNames(const std::vector<const CLI::App*>& chain) {
  std::vector<std::string> names;
  for (const CLI::App* command : chain) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::optional<std::string> nearest = Nearest(word, candidates);
  return nearest.has_value() ? "; did you mean '" + *nearest + "'?" : "";
}

/// The first word that nothing wanted.
std::optional<std::string> FirstLeftOver(const std::vector<const CLI::App*>& chain) {
  for (const CLI::App* command : chain) {
    for (const std::string& word : command->remaining()) {
      if (word != "--") return word;
    }
  }
  return std::nullopt;
}

std::string DescribeLeftOver(const std::string& word, const std::vector<const CLI::App*>& chain) {
  if (word.starts_with('-')) {
    const std::string name = word.substr(0, word.find('='));
    return "unknown option '" + name + "'" + DidYouMean(name, OptionNames(chain));
  }
  const std::vector<std::string> commands = CommandNames(*chain.back());
  if (commands.empty()) return "unexpected argument '" + word + "'";
  const std::string guess = DidYouMean(word, commands);
  return "unknown command '" + word + "'" +
         (guess.empty() ? "; there are " + Joined(commands) : guess);
}

/// An option that stands more often than it may.
const CLI::Option* FirstRepeated(const std::vector<const CLI::App*>& chain) {
  for (const CLI::App* command : chain) {
    for (const CLI::Option* option : command->get_options()) {
      if (option->count() > 1 && !MayBeRepeated(*option)) return option;
    }
  }
  return nullptr;
}

/// "talosmq topic create [OPTIONS] NAME".
std::string UsageLine(const std::vector<const CLI::App*>& chain) {
  std::string line = "talosmq";
  for (size_t i = 1; i < chain.size(); ++i) line += " " + chain[i]->get_name();
  line += " [OPTIONS]";
  if (!CommandNames(*chain.back()).empty()) return line + " COMMAND";
  for (const CLI::Option* option : chain.back()->get_options()) {
    if (option->get_positional()) line += " " + option->get_name(true);
    if (!option->get_positional() && option->get_required()) {
      line += " " + option->get_name() + " " + option->get_type_name();
    }
  }
  return line;
}

}  // namespace

std::string DescribeUsageError(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<const CLI::App*> chain = Chain(app);
  const std::optional<std::string> left_over = FirstLeftOver(chain);
  const std::vector<std::string> commands = CommandNames(*chain.back());
  std::string what = error.what();
  if (left_over.has_value()) {
    what = DescribeLeftOver(*left_over, chain);
  } else if (!commands.empty()) {
    what = "a command is missing; there are " + Joined(commands);
  } else if (const CLI::Option* repeated = FirstRepeated(chain)) {
    what = base::StrCat(repeated->get_name(), ": may be given once, found ", repeated->count());
  }
  const std::string path = CommandPath(app);
  return base::StrCat(what, "\n  usage: ", UsageLine(chain), "\n  `talosmq ", path,
                      path.empty() ? "" : " ", "--help` tells more");
}

std::string CommandPath(const CLI::App& app) {
  std::string path;
  for (const CLI::App* command : Chain(app)) {
    if (command == &app) continue;
    path += (path.empty() ? "" : " ") + command->get_name();
  }
  return path;
}

}  // namespace talosmq::cli
