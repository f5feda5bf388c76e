#pragma once

#include "base/log.h"
#include "base/tls_files.h"
#include "broker/options.h"
#include "server/listen_address.h"
#include "storage/log_store.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::server {

struct Roles {
  bool broker = true;
  bool controller = true;
  bool sink = true;
};

/// Everything that can be set from outside, as it is used: one options struct per layer, put
/// together here and nowhere else. server/config_keys.cc has the key of each field.
struct ServerConfig {
  std::string data_dir;  ///< Empty until DefaultDataDirectory() has been asked.
  Roles roles;
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogForm log_form = base::LogForm::kText;
  ListenAddress grpc_listen{"127.0.0.1", 9191};
  std::string grpc_advertised;  ///< HOST:PORT that clients are told; empty: as listened.
  ListenAddress http_listen{"127.0.0.1", 9192};
  std::string kafka_listen = "127.0.0.1:9092";
  std::string kafka_advertised;
  std::string kafka_tls = "all";    ///< Which listeners have it, if there is a certificate.
  std::string kafka_sasl = "none";  ///< Which listeners ask for a login.
  bool kafka_auto_create_topics = false;
  std::string metadata_store = "rocksdb:";
  base::TlsFiles tls;  ///< Of the gRPC port, and of the others as their settings say.
  bool http_tls = true;
  bool insecure_network = false;
  bool accept_restored_copy = false;
  int64_t tail_cache_bytes_max = 0;  ///< 0: by the memory of the machine.
  int64_t reserve_bytes = int64_t{64} << 20;
  storage::LogStoreOptions storage;
  broker::BrokerOptions broker;
  int64_t shards = 0;  ///< 0: by the cores of the machine.
};

/// How a listener for Kafka clients is guarded.
struct KafkaGuard {
  bool has_tls = false;
  bool asks_for_login = false;
  /// Nobody gets through it who was not let: what a listener off loopback needs.
  bool is_tight = false;
};
KafkaGuard GuardOf(const ServerConfig& config, std::string_view listener);

/// One setting as somebody wrote it.
struct ConfigEntry {
  std::string key;  ///< With dots, "grpc.listen".
  std::string value;
  std::string origin;  ///< "config.yaml line 3", "--set".
};

/// Applies the entries in their order over the defaults and checks the whole. kInvalidConfig,
/// naming origin, key, what was expected and what was found; an unknown key names the nearest one.
absl::StatusOr<ServerConfig> MakeConfig(const std::vector<ConfigEntry>& entries);

/// Splits KEY=VALUE of --set.
absl::StatusOr<ConfigEntry> ParseSetting(std::string_view text);

/// The page config/talosmqd.yaml with the values of `config`: every key with what it means, its
/// unit, bound and default.
std::string RenderConfigPage(const ServerConfig& config);

/// /var/lib/talosmq for root, else $XDG_DATA_HOME/talosmq or ~/.local/share/talosmq.
absl::StatusOr<std::string> DefaultDataDirectory();

}  // namespace talosmq::server
