#include "server/config_keys.h"

#include "base/status.h"
#include "base/text.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

#include <utility>

namespace talosmq::server {
namespace {

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;
constexpr int64_t kGiB = 1024 * kMiB;

absl::Status Expected(std::string_view bound, std::string_view value) {
  return MakeError(Reason::kInvalidConfig, base::StrCat("expected ", bound, ", found \"",
                                                        base::Printable(value, 80), "\""));
}

template <typename T>
using Field = std::function<T&(ServerConfig&)>;

/// Reads a field of a config that must not change.
template <typename T>
const T& Get(const Field<T>& field, const ServerConfig& config) {
  return field(const_cast<ServerConfig&>(config));
}

struct Range {
  std::string_view unit;
  int64_t min;
  int64_t max;
};

absl::StatusOr<int64_t> ParseNumber(std::string_view value, const Range& range,
                                    std::string_view bound) {
  int64_t number = 0;
  const bool begins_with_digit = !value.empty() && value[0] >= '0' && value[0] <= '9';
  if (!begins_with_digit || !absl::SimpleAtoi(base::ToAbsl(value), &number) || number < range.min ||
      number > range.max) {
    return Expected(bound, value);
  }
  return number;
}

ConfigKey NumberKey(std::string name, std::string meaning, Range range, Field<int64_t> field) {
  std::string bound = base::StrCat(range.unit, ", ", range.min, " to ", range.max);
  auto set = [range, field, bound](std::string_view value, ServerConfig& config) -> absl::Status {
    TALOSMQ_ASSIGN_OR_RETURN(field(config), ParseNumber(value, range, bound));
    return absl::OkStatus();
  };
  auto print = [field](const ServerConfig& config) { return std::to_string(Get(field, config)); };
  return {std::move(name), std::move(meaning), std::move(bound), std::move(set), std::move(print)};
}

ConfigKey DurationKey(std::string name, std::string meaning, int64_t min_ms, int64_t max_ms,
                      Field<absl::Duration> field) {
  const Range range{"ms", min_ms, max_ms};
  std::string bound = base::StrCat("ms, ", min_ms, " to ", max_ms);
  auto set = [range, field, bound](std::string_view value, ServerConfig& config) -> absl::Status {
    TALOSMQ_ASSIGN_OR_RETURN(const int64_t ms, ParseNumber(value, range, bound));
    field(config) = absl::Milliseconds(ms);
    return absl::OkStatus();
  };
  auto print = [field](const ServerConfig& config) {
    return std::to_string(absl::ToInt64Milliseconds(Get(field, config)));
  };
  return {std::move(name), std::move(meaning), std::move(bound), std::move(set), std::move(print)};
}

ConfigKey TextKey(std::string name, std::string meaning, std::string bound,
                  Field<std::string> field) {
  auto set = [field, bound](std::string_view value, ServerConfig& config) -> absl::Status {
    // What the kernel is told of a path ends there.
    if (value.find('\0') != std::string_view::npos) return Expected(bound, value);
    field(config) = std::string(value);
    return absl::OkStatus();
  };
  auto print = [field](const ServerConfig& config) { return Get(field, config); };
  return {std::move(name), std::move(meaning), std::move(bound), std::move(set), std::move(print)};
}

ConfigKey AddressKey(std::string name, std::string meaning, Field<ListenAddress> field) {
  auto set = [field](std::string_view value, ServerConfig& config) -> absl::Status {
    TALOSMQ_ASSIGN_OR_RETURN(field(config), ParseListenAddress(value));
    return absl::OkStatus();
  };
  auto print = [field](const ServerConfig& config) { return Get(field, config).ToString(); };
  return {std::move(name), std::move(meaning), "HOST:PORT; port 0 is the kernel's choice",
          std::move(set), std::move(print)};
}

template <typename T>
using Words = std::vector<std::pair<std::string, T>>;

template <typename T>
ConfigKey WordKey(std::string name, std::string meaning, Words<T> words, Field<T> field) {
  std::string bound;
  for (const auto& [word, value] : words) bound += (bound.empty() ? "" : ", ") + word;
  auto set = [words, field, bound](std::string_view text, ServerConfig& config) -> absl::Status {
    for (const auto& [word, value] : words) {
      if (word == text) {
        field(config) = value;
        return absl::OkStatus();
      }
    }
    return Expected(base::StrCat("one of ", bound), text);
  };
  auto print = [words, field](const ServerConfig& config) {
    for (const auto& [word, value] : words) {
      if (value == Get(field, config)) return word;
    }
    return std::string();
  };
  return {std::move(name), std::move(meaning), std::move(bound), std::move(set), std::move(print)};
}

ConfigKey SwitchKey(std::string name, std::string meaning, Field<bool> field) {
  return WordKey<bool>(std::move(name), std::move(meaning), {{"true", true}, {"false", false}},
                       std::move(field));
}

ConfigKey RolesKey() {
  constexpr std::string_view kBound = "a list of broker, controller, sink";
  auto set = [kBound](std::string_view value, ServerConfig& config) -> absl::Status {
    Roles roles{.broker = false, .controller = false, .sink = false};
    for (const absl::string_view role : absl::StrSplit(base::ToAbsl(value), ',')) {
      if (role == "broker") {
        roles.broker = true;
      } else if (role == "controller") {
        roles.controller = true;
      } else if (role == "sink") {
        roles.sink = true;
      } else {
        return Expected(kBound, base::FromAbsl(role));
      }
    }
    config.roles = roles;
    return absl::OkStatus();
  };
  auto print = [](const ServerConfig& config) {
    std::string text;
    if (config.roles.broker) text += "broker,";
    if (config.roles.controller) text += "controller,";
    if (config.roles.sink) text += "sink,";
    if (!text.empty()) text.pop_back();
    return text;
  };
  return {"roles",
          "What this server does. A single node needs broker and controller; without sink it runs "
          "no dump jobs.",
          std::string(kBound), std::move(set), std::move(print)};
}

std::vector<ConfigKey> GeneralKeys() {
  return {
      TextKey(
          "data_dir",
          "Where everything durable lies. Empty: /var/lib/talosmq for root, else "
          "$XDG_DATA_HOME/talosmq or ~/.local/share/talosmq. The first log line tells it.",
          "a directory", [](auto& c) -> auto& { return c.data_dir; }),
      RolesKey(),
      WordKey<base::LogLevel>(
          "log.level", "The least level that is logged.",
          {{"debug", base::LogLevel::kDebug},
           {"info", base::LogLevel::kInfo},
           {"warning", base::LogLevel::kWarning},
           {"error", base::LogLevel::kError}},
          [](auto& c) -> auto& { return c.log_level; }),
      WordKey<base::LogForm>(
          "log.form",
          "How a line of the log looks; json is one object a line. The log goes to stdout; in the "
          "journal of systemd, text has no time of its own.",
          {{"text", base::LogForm::kText}, {"json", base::LogForm::kJson}},
          [](auto& c) -> auto& { return c.log_form; }),
  };
}

std::vector<ConfigKey> ListenerKeys() {
  return {
      AddressKey(
          "grpc.listen",
          "The port of the SDK and the command line. Off loopback it needs tls.client_ca or "
          "security.insecure_network.",
          [](auto& c) -> auto& { return c.grpc_listen; }),
      TextKey(
          "grpc.advertised",
          "The address that clients are told to use for this broker. Empty: the one that is "
          "listened on.",
          "HOST:PORT", [](auto& c) -> auto& { return c.grpc_advertised; }),
      AddressKey(
          "http.listen",
          "The port of /metrics and /health. Off loopback it needs tls.client_ca or "
          "security.insecure_network.",
          [](auto& c) -> auto& { return c.http_listen; }),
      SwitchKey(
          "http.tls",
          "Whether tls.cert, tls.key and tls.client_ca hold for the HTTP port too. false: it is "
          "plain, for a scraper or a health check on this machine.",
          [](auto& c) -> auto& { return c.http_tls; }),
      TextKey(
          "kafka.listen",
          "The ports for Kafka clients, each with a name when there are several networks.",
          "HOST:PORT or NAME=HOST:PORT,...", [](auto& c) -> auto& { return c.kafka_listen; }),
      TextKey(
          "kafka.advertised",
          "The addresses that Kafka clients are told, under the names of kafka.listen. Empty: "
          "the one that a client has connected to.",
          "HOST:PORT or NAME=HOST:PORT,...", [](auto& c) -> auto& { return c.kafka_advertised; }),
      SwitchKey(
          "kafka.auto_create_topics",
          "Whether a topic that a Kafka client asks for and that is not there is made, with the "
          "default number of partitions. A mistyped name makes one as well.",
          [](auto& c) -> auto& { return c.kafka_auto_create_topics; }),
      TextKey(
          "kafka.tls",
          "The ports of kafka.listen that speak TLS only, with tls.cert; without a certificate all "
          "of them are plain. tls.client_ca holds for those that ask for no login.",
          "all, none or NAME,...", [](auto& c) -> auto& { return c.kafka_tls; }),
      TextKey(
          "kafka.sasl",
          "The ports of kafka.listen where clients log in (SCRAM-SHA-256, SCRAM-SHA-512, and PLAIN "
          "where there is TLS) before anything else is served. talosmq user create makes users.",
          "all, none or NAME,...", [](auto& c) -> auto& { return c.kafka_sasl; }),
      TextKey(
          "tls.cert",
          "The certificate that the ports show, followed by those above it. Set: the ports speak "
          "TLS only, but for what http.tls and kafka.tls leave out. Read again when it changes.",
          "a PEM file", [](auto& c) -> auto& { return c.tls.certificate; }),
      TextKey(
          "tls.key", "The private key of tls.cert. Read again when it changes.", "a PEM file",
          [](auto& c) -> auto& { return c.tls.key; }),
      TextKey(
          "tls.client_ca",
          "Clients need a certificate of this authority to get past the handshake (mutual TLS), "
          "but for the Kafka ports that ask for a login. Read again when it changes.",
          "a PEM file", [](auto& c) -> auto& { return c.tls.ca; }),
      SwitchKey(
          "security.insecure_network",
          "Allows listeners off loopback without mutual TLS: whoever reaches the port may read, "
          "write and delete everything. Logged at every start and told by cluster health.",
          [](auto& c) -> auto& { return c.insecure_network; }),
  };
}

std::vector<ConfigKey> StorageKeys() {
  return {
      TextKey(
          "metadata.store",
          "Where topics, partitions and their state are kept. rocksdb: is in the data "
          "directory, for a single node. etcd://HOST:PORT,.../PREFIX, for a cluster, is "
          "refused until it is built.",
          "rocksdb:", [](auto& c) -> auto& { return c.metadata_store; }),
      SwitchKey(
          "recovery.accept_restored_copy",
          "Starts although node.json is older than the metadata store, or the store or the "
          "journal has lost its newest writes, which means that a part of the data directory was "
          "put back from a copy or damaged. Records and topics of that time may be missing. Set "
          "it for one start only.",
          [](auto& c) -> auto& { return c.accept_restored_copy; }),
      NumberKey(
          "storage.tail_cache_bytes_max",
          "The newest records of all partitions that are kept in memory; what is not in "
          "its segment yet is part of it. 0: an eighth of the memory, at most 256 MiB.",
          {"bytes, 0 or at least 33554432; in all", 0, 64 * kGiB},
          [](auto& c) -> auto& { return c.tail_cache_bytes_max; }),
      NumberKey(
          "storage.reserve_bytes",
          "Room on the disk that is kept for deletions, metadata and recovery: appends are refused "
          "while less than twice as much is free. At most a 32nd of the disk is kept.",
          {"bytes", 0, 64 * kGiB}, [](auto& c) -> auto& { return c.reserve_bytes; }),
      NumberKey(
          "storage.flush_group_bytes_max", "What one flush makes durable at most.",
          {"bytes", kMiB, kGiB}, [](auto& c) -> auto& { return c.storage.flush_group_bytes_max; }),
      DurationKey(
          "storage.checkpoint_interval_ms",
          "How often the durable ends of all logs are recorded, which is where recovery "
          "begins.",
          10, 60'000, [](auto& c) -> auto& { return c.storage.checkpoint_interval; }),
      NumberKey(
          "storage.checkpoint_bytes",
          "A log's durable end is recorded, and a snapshot of its idempotent producers taken, "
          "after so much more of it, too.",
          {"bytes", 64 * kKiB, kGiB}, [](auto& c) -> auto& { return c.storage.checkpoint_bytes; }),
      DurationKey(
          "storage.producer_expiry_ms",
          "How long a partition knows the last batches of an idempotent producer that sends "
          "nothing; a batch that is sent again later is taken for a new one.",
          600'000, 2'592'000'000, [](auto& c) -> auto& { return c.storage.producer_expiry; }),
  };
}

std::vector<ConfigKey> BrokerKeys() {
  return {
      NumberKey(
          "broker.shards",
          "Threads that partitions are spread over. 0: as many as cores, at most 4.",
          {"threads", 0, 64}, [](auto& c) -> auto& { return c.shards; }),
      NumberKey(
          "broker.shard_append_bytes_max",
          "Batches that wait for one shard; more is refused as OVERLOADED.",
          {"bytes", kMiB, 64 * kGiB},
          [](auto& c) -> auto& { return c.broker.shard_append_bytes_max; }),
      NumberKey(
          "broker.pending_appends_max",
          "Batches of one partition that wait for its log to open; more is refused as "
          "OVERLOADED.",
          {"batches", 1, 1'000'000},
          [](auto& c) -> auto& { return c.broker.partition.pending_appends_max; }),
      NumberKey(
          "broker.parked_acks_max",
          "Batches of one partition that wait to become durable; more is refused as "
          "OVERLOADED.",
          {"batches", 1, 1'000'000},
          [](auto& c) -> auto& { return c.broker.partition.parked_acks_max; }),
      NumberKey(
          "broker.waiting_fetches_max",
          "Readers that wait at the end of one partition; more are refused as OVERLOADED.",
          {"fetches", 1, 1'000'000},
          [](auto& c) -> auto& { return c.broker.partition.waiting_fetches_max; }),
      DurationKey(
          "broker.cleanup_interval_ms",
          "How often logs are looked at for what retention.ms, retention.bytes and cleanup.policy "
          "of their topic let go.",
          100, 3'600'000, [](auto& c) -> auto& { return c.broker.cleanup_interval; }),
      DurationKey(
          "broker.reopen_backoff_min_ms",
          "How long a log rests after an I/O error before it is opened again; doubles with "
          "each failure.",
          1, 60'000, [](auto& c) -> auto& { return c.broker.partition.reopen_backoff_min; }),
      DurationKey(
          "broker.reopen_backoff_max_ms", "Where that doubling ends.", 1, 60'000,
          [](auto& c) -> auto& { return c.broker.partition.reopen_backoff_max; }),
  };
}

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all;
    for (std::vector<ConfigKey> group :
         {GeneralKeys(), ListenerKeys(), StorageKeys(), BrokerKeys()}) {
      for (ConfigKey& key : group) all.push_back(std::move(key));
    }
    return all;
  }();
  return keys;
}

}  // namespace talosmq::server
