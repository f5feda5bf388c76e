#include "base/status.h"
#include "base/text.h"
#include "cli/command_tree.h"
#include "cli/commands.h"

#include "absl/strings/ascii.h"

#include <algorithm>
#include <string>
#include <string_view>

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
  }
  return words;
}

/// The words that an option takes, apart by blanks; empty when it takes others as well.
std::string ChoicesOf(const CLI::Option& option) {
  std::string choices = option.get_type_name();
  if (choices.empty() || !absl::ascii_islower(static_cast<unsigned char>(choices.front())))
    return "";
  std::replace(choices.begin(), choices.end(), '|', ' ');
  return choices;
}

/// The group whose `list` knows what the argument of a command may be; empty when none does.
std::string NamesFor(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    std::string group = command.get_parent()->get_name();
    const bool is_listed = group == "topic" || group == "dump";
    if (option->get_name() == "TOPIC") return "topic";
    if (option->get_name() == "NAME" && is_listed && command.get_name() != "create") return group;
  }
  return "";
}

/// A branch of `case "$path $option"` for each option that takes a value; the global ones follow
/// any path.
void AddOptionBranches(const CLI::App& command, const std::string& path, std::string& branches) {
  const std::string before = command.get_parent() == nullptr ? "*' " : base::StrCat("'", path, " ");
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional() || !TakesValue(*option)) continue;
    std::string pattern;
    const auto add = [&](std::string_view dashes, const std::string& name) {
      pattern += base::StrCat(pattern.empty() ? "" : "|", before, dashes, name, "'");
    };
    for (const std::string& name : option->get_snames()) add("-", name);
    for (const std::string& name : option->get_lnames()) add("--", name);
    const std::string choices = ChoicesOf(*option);
    const std::string does = !choices.empty() ? base::StrCat("words='", choices, "'")
                             : option->get_type_name() == "TOPIC"
                                 ? "words=\"$(_talosmq_names topic)\""
                                 : "return";
    branches += base::StrCat("    ", pattern, ") ", does, " ;;\n");
  }
}

/// What the shell is told about each command; paths begin with a slash, the root's is empty.
struct Branches {
  std::string paths;    ///< All of them, as a pattern.
  std::string options;  ///< What to do where an option waits for its value.
  std::string words;    ///< What else may follow.
};

void AddBranches(const CLI::App& command, const std::string& path, Branches& branches) {
  AddOptionBranches(command, path, branches.options);
  branches.words += base::StrCat("    '", path, "') words='", WordsAfter(command), "'");
  const std::string names = command.get_parent() == nullptr ? "" : NamesFor(command);
  if (!names.empty()) branches.words += base::StrCat(" names='", names, "'");
  branches.words += " ;;\n";
  for (const CLI::App* below : command.get_subcommands({})) {
    const std::string deeper = base::StrCat(path, "/", below->get_name());
    branches.paths += base::StrCat(branches.paths.empty() ? "" : "|", deeper);
    AddBranches(*below, deeper, branches);
  }
}

/// Asks the server that the command line names so far. Only a server that answers at once is worth
/// waiting for.
constexpr std::string_view kNamesFunction = R"sh(_talosmq_names() {
  local word= takes= connection=()
  for word in $COMP_LINE; do
    case "$takes$word" in
      value*) connection+=("$word"); takes= ;;
      --server=*|--tls-*=*) connection+=("$word") ;;
      --server|--tls-ca|--tls-cert|--tls-key) connection+=("$word"); takes=value ;;
    esac
  done
  timeout 1 "${COMP_WORDS[0]}" "${connection[@]}" -o table "$1" list 2>/dev/null |
    awk 'NR > 1 { print $1 }'
}
)sh";

/// Where bash parts words at '=', an option and its value are three words, else one.
constexpr std::string_view kWhereItStands = R"sh(
  COMPREPLY=()
  case "$current" in
    --*=*) option="${current%%=*}"; start="$option="; current="${current#*=}" ;;
    =) option="${COMP_WORDS[COMP_CWORD-1]}"; current= ;;
    *) option="${COMP_WORDS[COMP_CWORD-1]}"
       if [ "$option" = = ]; then option="${COMP_WORDS[COMP_CWORD-2]}"; fi ;;
  esac
)sh";

std::string BashScript(const CLI::App& root) {
  Branches branches;
  AddBranches(root, "", branches);
  return base::StrCat(
      kNamesFunction,
      "_talosmq() {\n"
      "  local path= words= names= option= start= word= current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"$path/$word\" in\n"
      "      ",
      branches.paths, ") path=\"$path/$word\" ;;\n    esac\n  done", kWhereItStands,
      "  case \"$path $option\" in\n", branches.options,
      "  esac\n"
      "  if [ -z \"$words\" ]; then case \"$path\" in\n",
      branches.words,
      "  esac; fi\n"
      "  if [ -n \"$names\" ] && [ \"${current#-}\" = \"$current\" ]; then\n"
      "    words=\"$(_talosmq_names \"$names\")\"\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -P \"$start\" -W \"$words\" -- \"$current\"))\n"
      "}\n"
      "complete -o default -F _talosmq talosmq\n");
}

struct CompletionOptions {
  const CLI::App* root = nullptr;
};

ExitStatus Print(const std::string& script, Session& session) {
  const absl::Status written = session.Print(script);
  const bool is_done = written.ok() || ReasonOf(written) == Reason::kClosed;
  return is_done ? ExitStatus::kDone : session.Fail(written);
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
