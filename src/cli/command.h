#pragma once

#include "CLI/CLI.hpp"
#include "base/text.h"
#include "cli/session.h"

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::cli {

/// What the command on the command line does.
using Action = std::function<ExitStatus(Session&)>;

/// Adds the command `name` below `parent`. Parsing fills `options`, made here and kept by the
/// action; when the command was the one given, `selected` runs `run` on them.
///
///   auto [command, options] = AddCommand<TopicCreateOptions>(topic, "create", "Makes a topic",
///                                                            RunTopicCreate, selected);
template <typename Options>
std::pair<CLI::App*, Options*> AddCommand(CLI::App& parent, const std::string& name,
                                          const std::string& description,
                                          ExitStatus (*run)(const Options&, Session&),
                                          Action& selected) {
  CLI::App* const command = parent.add_subcommand(name, description);
  // Shared because std::function asks for copies; it lives in the callback that CLI11 keeps.
  const auto options = std::make_shared<Options>();
  command->callback([options, run, &selected] {
    selected = [options, run](Session& session) { return run(*options, session); };
  });
  return {command, options.get()};
}

/// An option whose text `parse` turns into the value; its error is told as wrong usage. Its type
/// name is TEXT until the caller gives it a better one. `into` lives as long as the command.
template <typename Value, typename Parse>
CLI::Option* AddParsed(CLI::App& command, const std::string& names, Value& into, Parse parse,
                       const std::string& description) {
  CLI::Option* const option = command.add_option(names, description);
  option->type_name("TEXT")->check(CLI::Validator(
      [&into, parse](std::string& text) -> std::string {
        auto value = parse(std::string_view(text));
        if (!value.ok()) return std::string(base::FromAbsl(value.status().message()));
        into = *std::move(value);
        return {};
      },
      std::string()));
  return option;
}

/// The same for an option that may be given several times; values are handed to `add` in order.
template <typename Parse, typename Add>
CLI::Option* AddRepeated(CLI::App& command, const std::string& names, Parse parse, Add add,
                         const std::string& description) {
  CLI::Option* const option = command.add_option(names, description);
  option->type_name("TEXT")->expected(1)->take_all()->allow_extra_args(false)->check(CLI::Validator(
      [add, parse](std::string& text) -> std::string {
        auto value = parse(std::string_view(text));
        if (!value.ok()) return std::string(base::FromAbsl(value.status().message()));
        add(*std::move(value));
        return {};
      },
      std::string()));
  return option;
}

/// Checks a whole number in [min, max].
inline CLI::Validator Between(int64_t min, int64_t max) {
  return CLI::Validator(
      [min, max](std::string& text) -> std::string {
        int64_t number = 0;
        const bool is_whole = absl::SimpleAtoi(text, &number);
        if (is_whole && number >= min && number <= max) return {};
        const std::string bound = max == std::numeric_limits<int64_t>::max()
                                      ? base::StrCat("of at least ", min)
                                      : base::StrCat("from ", min, " to ", max);
        return base::StrCat("expected a whole number ", bound, ", found '", text, "'");
      },
      std::string());
}

inline CLI::Validator AtLeast(int64_t min) {
  return Between(min, std::numeric_limits<int64_t>::max());
}

}  // namespace talosmq::cli
