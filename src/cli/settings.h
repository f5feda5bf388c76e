#pragma once

#include "cli/document.h"
#include "io/file_system.h"

#include "absl/status/statusor.h"

#include <optional>
#include <string>
#include <string_view>

namespace talosmq::cli {

/// What the global flags, or the files and variables behind them, may say; absent: not said.
struct Settings {
  std::optional<std::string> server;
  std::optional<OutputForm> output;
  std::optional<std::string> tls_ca;
  std::optional<std::string> tls_cert;
  std::optional<std::string> tls_key;
};

/// The environment variables that count, as the process has them.
struct Environment {
  std::optional<std::string> server;       ///< TALOSMQ_SERVER
  std::optional<std::string> config_path;  ///< TALOSMQ_CONFIG
  std::optional<std::string> home;         ///< HOME

  static Environment OfProcess();
};

/// The settings of a YAML map, each under its name; any other key is refused. `source` names the
/// text in errors.
absl::StatusOr<Settings> ParseSettings(std::string_view yaml, std::string_view source);

/// What holds when flags, then environment, then config file have been asked, in this order. The
/// file is the one TALOSMQ_CONFIG names (it must exist), else ~/.config/talosmq/config.yaml if it
/// is there.
absl::StatusOr<Settings> ResolveSettings(const Settings& flags, const Environment& environment,
                                         io::FileSystem& file_system);

}  // namespace talosmq::cli
