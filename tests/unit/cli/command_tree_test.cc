// What must hold of every command, asked of the tree that all of them stand in: it is described,
// and wrong usage is told with status 2, what is wrong and the nearest right form.

#include "cli/command_tree.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/cli/outcome.h"

#include <cctype>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::cli {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Words = std::vector<std::string>;

std::string Joined(const Words& words) {
  std::string text = "talosmq";
  for (const std::string& word : words) text += " " + word;
  return text;
}

Words With(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// A word that each type of value takes and, where it refuses some, one that it does not.
struct Sample {
  std::string right;
  std::optional<std::string> wrong;
};

std::optional<Sample> SampleOf(const CLI::Option& option) {
  static const std::map<std::string, Sample> samples = {
      {"", {.right = "1", .wrong = std::nullopt}},  // Arguments: a number is a name, too.
      {"INT", {.right = "1", .wrong = "many"}},
      {"FLOAT", {.right = "1", .wrong = "fast"}},
      {"SIZE", {.right = "1KB", .wrong = "1K"}},
      {"DURATION", {.right = "5ms", .wrong = "5"}},
      {"KEY=VALUE", {.right = "a=b", .wrong = "nothing"}},
      {"OFFSETS", {.right = "start", .wrong = "begin"}},
      {"PLACE", {.right = "start", .wrong = "-5"}},
      {"GROUP", {.right = "g", .wrong = std::nullopt}},
      {"FORMAT", {.right = "%v", .wrong = "%q"}},
      {"DELIMITER", {.right = ":", .wrong = ""}},
      {"HOST:PORT,...", {.right = "127.0.0.1:1", .wrong = "nonsense"}},
      {"FILE", {.right = "/nowhere", .wrong = std::nullopt}},
      {"DIR", {.right = "/nowhere", .wrong = std::nullopt}},
      {"TOPIC", {.right = "t", .wrong = std::nullopt}},
      {"URL", {.right = "file:///nowhere", .wrong = std::nullopt}},
      {"KEY", {.right = "a", .wrong = std::nullopt}},
      {"TEXT", {.right = "a", .wrong = std::nullopt}}};
  const std::string type = option.get_type_name();
  if (!type.empty() && std::islower(static_cast<unsigned char>(type.front())) != 0) {
    return Sample{.right = type.substr(0, type.find('|')), .wrong = "nonsense"};
  }
  const auto found = samples.find(type);
  if (found == samples.end()) return std::nullopt;
  return found->second;
}

std::string LongName(const CLI::Option& option) { return "--" + option.get_lnames().front(); }

/// One command or group, with the words that lead to it.
struct Command {
  Words path;
  const CLI::App* app;

  bool IsGroup() const { return !app->get_subcommands({}).empty(); }
  std::vector<const CLI::Option*> Arguments() const {
    std::vector<const CLI::Option*> arguments;
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_positional()) arguments.push_back(option);
    }
    return arguments;
  }
  /// Those of its own that take a value.
  std::vector<const CLI::Option*> Options() const {
    std::vector<const CLI::Option*> options;
    for (const CLI::Option* option : app->get_options()) {
      if (!option->get_positional() && TakesValue(*option)) options.push_back(option);
    }
    return options;
  }
  /// A command line that parses, but for what `without` would give.
  Words Line(const CLI::Option* without = nullptr) const {
    Words line = path;
    for (const CLI::Option* option : Options()) {
      if (!option->get_required() || option == without) continue;
      line = With(line, {LongName(*option), SampleOf(*option).value_or(Sample()).right});
    }
    for (const CLI::Option* argument : Arguments()) {
      if (argument != without) line.push_back(SampleOf(*argument).value_or(Sample()).right);
    }
    return line;
  }
};

class CommandTreeTest : public testing::Test {
 protected:
  CommandTreeTest() : tree_(MakeCommandTree(flags_, selected_)) { Collect({}, *tree_); }

  static void ExpectWrongUsage(const Words& line, const testing::Matcher<std::string>& told) {
    const Outcome outcome = RunTalosmq(line);
    EXPECT_EQ(outcome.status, ExitStatus::kWrongUsage) << Joined(line) << "\n" << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty()) << Joined(line);
    EXPECT_THAT(outcome.err, told) << Joined(line);
  }

  std::vector<Command> commands_;  ///< Groups and the root, too.

 private:
  void Collect(const Words& path, const CLI::App& app) {
    commands_.push_back({.path = path, .app = &app});
    for (const CLI::App* below : app.get_subcommands({})) {
      Collect(With(path, {below->get_name()}), *below);
    }
  }

  Settings flags_;
  Action selected_;
  const std::unique_ptr<CLI::App> tree_;
};

TEST_F(CommandTreeTest, EveryCommandSaysWhatItDoesInOneLine) {
  for (const Command& command : commands_) {
    const std::string description = command.app->get_description();
    EXPECT_THAT(description, AllOf(Not(IsEmpty()), Not(HasSubstr("\n")))) << Joined(command.path);
    if (!command.IsGroup()) {
      EXPECT_THAT(command.app->get_footer(), HasSubstr(Joined(command.path)))
          << Joined(command.path) << " has no example";
    }
  }
}

TEST_F(CommandTreeTest, EveryOptionIsDescribedWithItsTypeAndItsDefault) {
  for (const Command& command : commands_) {
    for (const CLI::Option* option : command.app->get_options()) {
      if (!option->get_positional() && option->get_group().empty()) continue;  // Hidden.
      EXPECT_THAT(option->get_description(), Not(IsEmpty()))
          << Joined(command.path) << " " << option->get_name();
    }
    for (const CLI::Option* option : command.Options()) {
      EXPECT_TRUE(SampleOf(*option).has_value())
          << Joined(command.path) << " " << option->get_name() << ": type "
          << option->get_type_name() << " needs a sample in this test";
      if (option->get_required() || MayBeRepeated(*option)) continue;
      EXPECT_THAT(option->get_description(), HasSubstr("efault"))
          << Joined(command.path) << " " << option->get_name();
    }
  }
}

TEST_F(CommandTreeTest, HelpOfEveryCommandIsPrinted) {
  for (const Command& command : commands_) {
    const Outcome outcome = RunTalosmq(With(command.path, {"--help"}));
    EXPECT_EQ(outcome.status, ExitStatus::kDone) << Joined(command.path);
    EXPECT_THAT(outcome.out, HasSubstr(command.app->get_description()));
    EXPECT_THAT(outcome.err, IsEmpty());
  }
}

TEST_F(CommandTreeTest, MissingCommandsAreToldWithThoseThereAre) {
  for (const Command& command : commands_) {
    if (!command.IsGroup()) continue;
    ExpectWrongUsage(command.path, AllOf(HasSubstr("a command is missing; there are "),
                                         HasSubstr("usage: " + Joined(command.path))));
  }
}

TEST_F(CommandTreeTest, MisspeltCommandsAreToldWithTheRightOne) {
  for (const Command& command : commands_) {
    if (command.path.empty()) continue;
    Words line = command.path;
    line.back() += "x";
    ExpectWrongUsage(line, AllOf(HasSubstr("unknown command '" + line.back() + "'"),
                                 HasSubstr("did you mean '" + command.path.back() + "'?")));
  }
}

TEST_F(CommandTreeTest, UnknownOptionsAreToldWithTheUsage) {
  for (const Command& command : commands_) {
    if (command.IsGroup()) continue;
    ExpectWrongUsage(With(command.Line(), {"--no-such-option"}),
                     AllOf(HasSubstr("unknown option '--no-such-option'"),
                           HasSubstr("usage: " + Joined(command.path))));
  }
}

TEST_F(CommandTreeTest, MisspeltOptionsAreToldWithTheRightOne) {
  for (const Command& command : commands_) {
    for (const CLI::Option* option : command.app->get_options()) {
      if (option->get_positional()) continue;
      const std::string wrong = LongName(*option) + "x";
      const Words line = command.IsGroup() ? Words{"topic", "list"} : command.Line();
      ExpectWrongUsage(With(line, {wrong}),
                       AllOf(HasSubstr("unknown option '" + wrong + "'"),
                             HasSubstr("did you mean '" + LongName(*option) + "'?")));
    }
  }
}

TEST_F(CommandTreeTest, MissingArgumentsAndOptionsAreToldByName) {
  for (const Command& command : commands_) {
    if (command.IsGroup()) continue;
    for (const CLI::Option* option : command.app->get_options()) {
      if (!option->get_required()) continue;
      // Of several arguments it is the last one that is missing then.
      const std::string name =
          option->get_positional() ? command.Arguments().back()->get_name() : option->get_name();
      ExpectWrongUsage(command.Line(option), AllOf(HasSubstr(name + " is required"),
                                                   HasSubstr("usage: " + Joined(command.path))));
    }
  }
}

TEST_F(CommandTreeTest, SurplusArgumentsAreTold) {
  for (const Command& command : commands_) {
    if (command.IsGroup()) continue;
    ExpectWrongUsage(With(command.Line(), {"surplus"}), HasSubstr("unexpected argument 'surplus'"));
  }
}

TEST_F(CommandTreeTest, OptionsWithoutTheirValueAreToldByName) {
  for (const Command& command : commands_) {
    for (const CLI::Option* option : command.Options()) {
      const Words line = command.IsGroup() ? Words{"topic", "list"} : command.Line(option);
      ExpectWrongUsage(With(line, {LongName(*option)}), HasSubstr(LongName(*option)));
    }
  }
}

TEST_F(CommandTreeTest, OptionsThatStandTwiceAreTold) {
  for (const Command& command : commands_) {
    for (const CLI::Option* option : command.Options()) {
      if (MayBeRepeated(*option)) continue;
      const std::string value = SampleOf(*option).value_or(Sample()).right;
      const Words line = command.IsGroup() ? Words{"topic", "list"} : command.Line(option);
      const Words twice = {LongName(*option), value, LongName(*option), value};
      ExpectWrongUsage(With(line, twice), AllOf(HasSubstr(LongName(*option)), HasSubstr("once")));
    }
  }
}

TEST_F(CommandTreeTest, WrongValuesAreToldWithTheNameOfTheirOption) {
  for (const Command& command : commands_) {
    for (const CLI::Option* option : command.Options()) {
      const std::optional<std::string> wrong = SampleOf(*option).value_or(Sample()).wrong;
      if (!wrong.has_value()) continue;
      const Words line = command.IsGroup() ? Words{"topic", "list"} : command.Line(option);
      ExpectWrongUsage(With(line, {LongName(*option), *wrong}),
                       AllOf(HasSubstr(LongName(*option)), HasSubstr("--help")));
    }
  }
}

TEST_F(CommandTreeTest, WrongChoicesAreToldWithThoseThereAre) {
  for (const Command& command : commands_) {
    for (const CLI::Option* option : command.Options()) {
      const std::string type = option->get_type_name();
      if (std::islower(static_cast<unsigned char>(type.front())) == 0) continue;
      const Words line = command.IsGroup() ? Words{"topic", "list"} : command.Line(option);
      for (size_t begin = 0; begin < type.size();) {
        const std::string choice = type.substr(begin, type.find('|', begin) - begin);
        begin += choice.size() + 1;
        ExpectWrongUsage(With(line, {LongName(*option), "nonsense"}), HasSubstr(choice));
        // It parses, so that what is wrong is only the option after it.
        ExpectWrongUsage(With(line, {LongName(*option), choice, "--no-such-option"}),
                         HasSubstr("unknown option '--no-such-option'"));
      }
    }
  }
}

}  // namespace
}  // namespace talosmq::cli
