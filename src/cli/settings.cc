#include "cli/settings.h"

#include "base/status.h"
#include "base/text.h"

#include "yaml-cpp/yaml.h"

#include <cstdlib>

namespace talosmq::cli {
namespace {

constexpr uint64_t kConfigBytesMax = 1 << 20;
constexpr std::string_view kConfigBelowHome = "/.config/talosmq/config.yaml";

std::optional<std::string> Variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

absl::Status NotSettings(std::string_view source, std::string_view why) {
  return MakeError(
      Reason::kInvalidConfig,
      base::StrCat(source, ": ", why,
                   "; known keys are server (HOST:PORT[,...]), "
                   "output (table, json or yaml), tls_ca, tls_cert and tls_key (files)"));
}

absl::Status Take(const std::string& key, const std::string& value, Settings& settings) {
  if (key == "server") {
    settings.server = value;
  } else if (key == "output") {
    TALOSMQ_ASSIGN_OR_RETURN(settings.output, ParseOutputForm(value));
  } else if (key == "tls_ca") {
    settings.tls_ca = value;
  } else if (key == "tls_cert") {
    settings.tls_cert = value;
  } else if (key == "tls_key") {
    settings.tls_key = value;
  } else {
    return MakeError(Reason::kInvalidConfig, base::StrCat("unknown key '", key, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Settings> ReadConfig(const std::string& path, io::FileSystem& file_system) {
  TALOSMQ_ASSIGN_OR_RETURN(const std::string yaml,
                           io::ReadFile(file_system, path, kConfigBytesMax));
  return ParseSettings(yaml, path);
}

absl::StatusOr<Settings> FindConfig(const Environment& environment, io::FileSystem& file_system) {
  if (environment.config_path.has_value()) return ReadConfig(*environment.config_path, file_system);
  if (!environment.home.has_value()) return Settings();
  const std::string path = *environment.home + std::string(kConfigBelowHome);
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system.Exists(path));
  if (!exists) return Settings();
  return ReadConfig(path, file_system);
}

}  // namespace

Environment Environment::OfProcess() {
  return {.server = Variable("TALOSMQ_SERVER"),
          .config_path = Variable("TALOSMQ_CONFIG"),
          .home = Variable("HOME")};
}

absl::StatusOr<Settings> ParseSettings(std::string_view yaml, std::string_view source) {
  Settings settings;
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (root.IsNull()) return settings;
    if (!root.IsMap()) return NotSettings(source, "expected a map of keys");
    for (const auto& entry : root) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
        return NotSettings(source, "expected one word for each key");
      }
      const absl::Status taken = Take(entry.first.Scalar(), entry.second.Scalar(), settings);
      if (!taken.ok()) return NotSettings(source, base::FromAbsl(taken.message()));
    }
  } catch (const YAML::Exception& error) {
    return NotSettings(source, error.what());
  }
  return settings;
}

absl::StatusOr<Settings> ResolveSettings(const Settings& flags, const Environment& environment,
                                         io::FileSystem& file_system) {
  TALOSMQ_ASSIGN_OR_RETURN(const Settings config, FindConfig(environment, file_system));
  Settings settings = flags;
  if (!settings.server.has_value()) settings.server = environment.server;
  if (!settings.server.has_value()) settings.server = config.server;
  if (!settings.output.has_value()) settings.output = config.output;
  if (!settings.tls_ca.has_value()) settings.tls_ca = config.tls_ca;
  if (!settings.tls_cert.has_value()) settings.tls_cert = config.tls_cert;
  if (!settings.tls_key.has_value()) settings.tls_key = config.tls_key;
  return settings;
}

}  // namespace talosmq::cli
