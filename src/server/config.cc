#include "server/config.h"

#include "base/status.h"
#include "base/text.h"
#include "server/config_keys.h"

#include "absl/strings/str_split.h"
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace talosmq::server {
namespace {

constexpr size_t kPageWidth = 100;
constexpr int64_t kTailCacheBytesMin = int64_t{32} << 20;

/// Edits that turn one text into the other (Levenshtein).
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string_view NearestKey(std::string_view wrong) {
  constexpr size_t kComparedMax = 100;
  wrong = wrong.substr(0, kComparedMax);
  const auto nearest = std::min_element(ConfigKeys().begin(), ConfigKeys().end(),
                                        [wrong](const ConfigKey& a, const ConfigKey& b) {
                                          return Distance(wrong, a.name) < Distance(wrong, b.name);
                                        });
  return nearest->name;
}

absl::Status Invalid(std::string_view key, std::string_view words) {
  return MakeError(Reason::kInvalidConfig, base::StrCat(key, ": ", words));
}

absl::Status Apply(const ConfigEntry& entry, ServerConfig& config) {
  const auto key = std::find_if(ConfigKeys().begin(), ConfigKeys().end(),
                                [&entry](const ConfigKey& k) { return k.name == entry.key; });
  if (key == ConfigKeys().end()) {
    return MakeError(
        Reason::kInvalidConfig,
        base::StrCat(entry.origin, ": there is no key ", base::Printable(entry.key, 100),
                     "; did you mean ", NearestKey(entry.key), "?"));
  }
  const absl::Status status = key->set(entry.value, config);
  if (status.ok()) return status;
  return MakeError(Reason::kInvalidConfig,
                   base::StrCat(entry.origin, ": ", entry.key, ": ", status.message()));
}

/// `way` is what would make the port safe to open, if there is something.
absl::Status CheckExposed(std::string_view key, const ListenAddress& address, std::string_view way,
                          const ServerConfig& config) {
  if (address.is_loopback() || config.insecure_network) return absl::OkStatus();
  return Invalid(key,
                 base::StrCat(address.ToString(), " can be reached from other machines, and ", way,
                              " listen on 127.0.0.1, or set security.insecure_network: true "
                              "to let whoever reaches the port read, write and delete"));
}

absl::Status CheckTls(const ServerConfig& config) {
  if (config.tls.certificate.empty() != config.tls.key.empty()) {
    return Invalid("tls.cert", "expected tls.cert and tls.key together, found one of them");
  }
  if (!config.tls.ca.empty() && config.tls.certificate.empty()) {
    return Invalid("tls.client_ca", "expected tls.cert and tls.key beside it, found neither");
  }
  return absl::OkStatus();
}

absl::Status CheckKafka(const ServerConfig& config) {
  const auto listeners = ParseNamedAddresses(config.kafka_listen);
  if (!listeners.ok()) {
    return Invalid("kafka.listen", base::FromAbsl(listeners.status().message()));
  }
  for (const auto& [key, selection] :
       {std::pair("kafka.tls", &config.kafka_tls), std::pair("kafka.sasl", &config.kafka_sasl)}) {
    const absl::Status status = CheckSelection(*selection, *listeners);
    if (!status.ok()) return Invalid(key, base::FromAbsl(status.message()));
  }
  const bool names_some = config.kafka_tls != "all" && config.kafka_tls != "none";
  if (names_some && config.tls.certificate.empty()) {
    return Invalid("kafka.tls", "expected tls.cert and tls.key beside it, found neither");
  }
  for (const NamedAddress& listener : *listeners) {
    const KafkaGuard guard = GuardOf(config, listener.name);
    if (guard.is_tight) continue;
    const std::string_view way =
        guard.has_tls ? "clients need neither a certificate nor a login: set tls.client_ca or "
                        "kafka.sasl,"
                      : "it has no TLS: set tls.cert, tls.key and kafka.sasl or tls.client_ca,";
    TALOSMQ_RETURN_IF_ERROR(CheckExposed("kafka.listen", listener.address, way, config));
  }
  if (config.kafka_advertised.empty()) return absl::OkStatus();
  const auto advertised = ParseNamedAddresses(config.kafka_advertised);
  if (!advertised.ok()) {
    return Invalid("kafka.advertised", base::FromAbsl(advertised.status().message()));
  }
  if (!std::ranges::is_permutation(*listeners, *advertised, {}, &NamedAddress::name,
                                   &NamedAddress::name)) {
    return Invalid("kafka.advertised", "expected the names of kafka.listen, each once");
  }
  return absl::OkStatus();
}

absl::Status CheckListeners(const ServerConfig& config) {
  constexpr std::string_view kNoCertificate =
      "clients need no certificate: set tls.cert, tls.key and tls.client_ca,";
  TALOSMQ_RETURN_IF_ERROR(CheckTls(config));
  if (config.tls.ca.empty()) {
    TALOSMQ_RETURN_IF_ERROR(
        CheckExposed("grpc.listen", config.grpc_listen, kNoCertificate, config));
  }
  if (config.tls.ca.empty() || !config.http_tls) {
    TALOSMQ_RETURN_IF_ERROR(CheckExposed(
        "http.listen", config.http_listen,
        config.http_tls ? kNoCertificate : "http.tls is false: set it to true,", config));
  }
  TALOSMQ_RETURN_IF_ERROR(CheckKafka(config));
  if (!config.grpc_advertised.empty()) {
    const auto advertised = ParseListenAddress(config.grpc_advertised);
    if (!advertised.ok()) {
      return Invalid("grpc.advertised", base::FromAbsl(advertised.status().message()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckStore(const ServerConfig& config) {
  if (config.metadata_store.rfind("etcd://", 0) == 0) {
    return Invalid("metadata.store", "etcd is not built yet; a single node uses rocksdb:");
  }
  if (config.metadata_store != "rocksdb:") {
    const std::string found = base::Printable(config.metadata_store, 80);
    return Invalid("metadata.store", base::StrCat("expected rocksdb:, found \"", found, "\""));
  }
  return absl::OkStatus();
}

absl::Status Check(const ServerConfig& config) {
  if (!config.roles.broker || !config.roles.controller) {
    return Invalid("roles", "a single node needs both broker and controller");
  }
  TALOSMQ_RETURN_IF_ERROR(CheckListeners(config));
  TALOSMQ_RETURN_IF_ERROR(CheckStore(config));
  if (config.tail_cache_bytes_max != 0 && config.tail_cache_bytes_max < kTailCacheBytesMin) {
    return Invalid("storage.tail_cache_bytes_max",
                   base::StrCat("expected 0 or at least ", kTailCacheBytesMin, " bytes, found ",
                                config.tail_cache_bytes_max));
  }
  if (config.broker.partition.reopen_backoff_max < config.broker.partition.reopen_backoff_min) {
    return Invalid("broker.reopen_backoff_max_ms", "it is below broker.reopen_backoff_min_ms");
  }
  return absl::OkStatus();
}

/// `text` as comment lines within the width of the page.
std::string Comment(std::string_view text) {
  std::string lines;
  std::string line = "#";
  for (const absl::string_view word : absl::StrSplit(base::ToAbsl(text), ' ')) {
    if (line.size() + 1 + word.size() > kPageWidth) {
      lines += line + "\n";
      line = "#";
    }
    line += " " + std::string(word);
  }
  return lines + line + "\n";
}

/// As YAML reads it back: text that could be something else stands in quotes.
std::string Scalar(const std::string& value) {
  const bool is_plain =
      !value.empty() && value.find_first_of(" :#,[]{}\"'\\&*!|>%@`") == std::string::npos;
  if (is_plain) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

KafkaGuard GuardOf(const ServerConfig& config, std::string_view listener) {
  const bool has_tls =
      !config.tls.certificate.empty() && SelectsListener(config.kafka_tls, listener);
  const bool asks_for_login = SelectsListener(config.kafka_sasl, listener);
  return {.has_tls = has_tls,
          .asks_for_login = asks_for_login,
          .is_tight = has_tls && (asks_for_login || !config.tls.ca.empty())};
}

absl::StatusOr<ServerConfig> MakeConfig(const std::vector<ConfigEntry>& entries) {
  ServerConfig config;
  for (const ConfigEntry& entry : entries) TALOSMQ_RETURN_IF_ERROR(Apply(entry, config));
  TALOSMQ_RETURN_IF_ERROR(Check(config));
  return config;
}

absl::StatusOr<ConfigEntry> ParseSetting(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return MakeError(Reason::kInvalidConfig, base::StrCat("--set: expected key=value, found \"",
                                                          base::Printable(text, 100), "\""));
  }
  return ConfigEntry{.key = std::string(text.substr(0, equals)),
                     .value = std::string(text.substr(equals + 1)),
                     .origin = "--set"};
}

std::string RenderConfigPage(const ServerConfig& config) {
  const ServerConfig defaults;
  std::string page =
      "# Every setting of talosmqd with its default, as `talosmqd --print-config` prints it.\n"
      "# Use: talosmqd --config FILE. Keys may also be nested (grpc: {listen: ...}), and\n"
      "# --set key=value overrides the file. An unknown key is refused.\n";
  for (const ConfigKey& key : ConfigKeys()) {
    page += "\n" + Comment(key.meaning);
    page += Comment(
        base::StrCat("Value: ", key.bound, ". Default: ", Scalar(key.print(defaults)), "."));
    page += base::StrCat(key.name, ": ", Scalar(key.print(config)), "\n");
  }
  return page;
}

absl::StatusOr<std::string> DefaultDataDirectory() {
  if (geteuid() == 0) return "/var/lib/talosmq";
  if (const char* data_home = getenv("XDG_DATA_HOME"); data_home != nullptr && *data_home != '\0') {
    return base::StrCat(data_home, "/talosmq");
  }
  if (const char* home = getenv("HOME"); home != nullptr && *home != '\0') {
    return base::StrCat(home, "/.local/share/talosmq");
  }
  return Invalid("data_dir", "neither XDG_DATA_HOME nor HOME is set; say where with --data-dir");
}

}  // namespace talosmq::server
