#include "base/text.h"
#include "cli/commands.h"

namespace talosmq::cli {
namespace {

/// Everything that may follow a command: the ones below it, and the flags of it and of all above.
std::string WordsAfter(const CLI::App& command) {
  std::string words;
  for (const CLI::App* below : command.get_subcommands({})) {
    words += base::StrCat(below->get_name(), " ");
  }
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        words += base::StrCat("--", name, " ");
      }
    }
    if (app->get_parent() == nullptr) break;
  }
  return words;
}

/// One branch for each command: what may follow it; paths begin with a slash, the root's is empty.
void AddBranches(const CLI::App& command, const std::string& path, std::string& paths,
                 std::string& branches) {
  branches += base::StrCat("    '", path, "') words='", WordsAfter(command), "' ;;\n");
  for (const CLI::App* below : command.get_subcommands({})) {
    const std::string deeper = base::StrCat(path, "/", below->get_name());
    paths += base::StrCat(paths.empty() ? "" : "|", deeper);
    AddBranches(*below, deeper, paths, branches);
  }
}

std::string BashScript(const CLI::App& root) {
  std::string paths;
  std::string branches;
  AddBranches(root, "", paths, branches);
  return base::StrCat(
      "_talosmq() {\n"
      "  local path= words= word\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"$path/$word\" in\n"
      "      ",
      paths,
      ") path=\"$path/$word\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n",
      branches,
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
      "}\n"
      "complete -o default -F _talosmq talosmq\n");
}

struct CompletionOptions {
  const CLI::App* root = nullptr;
};

ExitStatus Print(const std::string& script, Session& session) {
  const absl::Status written = session.out().Write(script);
  return written.ok() ? ExitStatus::kDone : session.Fail(written);
}

ExitStatus RunBash(const CompletionOptions& options, Session& session) {
  return Print(BashScript(*options.root), session);
}

ExitStatus RunZsh(const CompletionOptions& options, Session& session) {
  return Print(
      "#compdef talosmq\nautoload -U +X bashcompinit && bashcompinit\n" + BashScript(*options.root),
      session);
}

}  // namespace

void AddCompletion(CLI::App& parent, Action& selected) {
  const CLI::App* const root = parent.get_parent();
  auto [bash, bash_options] = AddCommand<CompletionOptions>(
      parent, "bash", "Print what makes bash complete talosmq's commands and flags", RunBash,
      selected);
  bash_options->root = root;
  bash->footer("Example:\n  source <(talosmq completion bash)");
  auto [zsh, zsh_options] = AddCommand<CompletionOptions>(
      parent, "zsh", "Print what makes zsh complete talosmq's commands and flags", RunZsh,
      selected);
  zsh_options->root = root;
  zsh->footer("Example:\n  source <(talosmq completion zsh)");
}

}  // namespace talosmq::cli
