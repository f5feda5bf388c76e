// docs/cli.md says what the program does: what follows its mark is written from the tree of
// commands.

#include "cli/command_tree.h"

#include "compat/hex_file.h"
#include "gtest/gtest.h"

#include <fstream>
#include <memory>
#include <string>
#include <string_view>

namespace talosmq::cli {
namespace {

constexpr std::string_view kMark = "<!-- From here on the page is written from the program. -->\n";

/// A bar would end the cell of a table.
std::string Cell(const std::string& text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|' || c == '\\') cell += '\\';
    cell += c;
  }
  return cell;
}

std::string NamesOf(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name();
  std::string names;
  for (const std::string& name : option.get_snames()) names += "-" + name + ", ";
  for (const std::string& name : option.get_lnames()) names += "--" + name + ", ";
  return names.substr(0, names.size() - 2);
}

std::string OptionsOf(const CLI::App& command) {
  std::string rows;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty() || option->get_name() == "--help") continue;
    std::string names = "`" + NamesOf(*option);
    if (!option->get_type_name().empty() && TakesValue(*option)) {
      names += " " + option->get_type_name();
    }
    rows += "| " + Cell(names) + "` | " + (option->get_required() ? "required. " : "") +
            Cell(option->get_description()) + " |\n";
  }
  return rows.empty() ? "" : "| option | what |\n|---|---|\n" + rows + "\n";
}

void AddCommand(const CLI::App& command, const std::string& path, std::string& page) {
  const bool is_root = command.get_parent() == nullptr;
  if (!is_root) page += "### " + path + "\n\n" + command.get_description() + ".\n\n";
  page += OptionsOf(command);
  // A group has no footer but the program's own.
  if (command.get_subcommands({}).empty()) {
    page += "```\n" + command.get_footer() + "\n```\n\n";
  }
  for (const CLI::App* below : command.get_subcommands({})) {
    AddCommand(*below, path + " " + below->get_name(), page);
  }
}

std::string CommandsOfProgram() {
  Settings flags;
  Action selected;
  const std::unique_ptr<CLI::App> tree = MakeCommandTree(flags, selected);
  std::string page = "\n## Flags of every command\n\n";
  AddCommand(*tree, "talosmq", page);
  page.replace(page.find("### "), 4, "## Commands\n\n### ");
  page.pop_back();
  return page;
}

TEST(ReferencePageTest, PageHoldsEveryCommandAndOptionAsTheProgramHasThem) {
  const std::string page = compat::ReadRepositoryFile("docs/cli.md");
  const size_t mark = page.find(kMark);
  ASSERT_NE(mark, std::string::npos);
  const std::string by_hand = page.substr(0, mark + kMark.size());
  const std::string right = by_hand + CommandsOfProgram();
  if (page == right) return;
  const std::string path = testing::TempDir() + "cli.md";
  std::ofstream(path) << right;
  ADD_FAILURE() << "docs/cli.md does not hold what the program has; the right page is " << path;
}

}  // namespace
}  // namespace talosmq::cli
