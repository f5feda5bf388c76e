#include "server/server.h"

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "base/tls_watch.h"
#include "broker/broker.h"
#include "controller/topic_controller.h"
#include "group/offset_view.h"
#include "http/http_front.h"
#include "http/prometheus_registry.h"
#include "kafka/fetch_sessions.h"
#include "kafka/kafka_front.h"
#include "kv/store.h"
#include "metadata/embedded/embedded_store.h"
#include "metadata/image_publisher.h"
#include "rpc/grpc_front.h"
#include "server/await.h"
#include "server/cluster_notices.h"
#include "server/dump_adapter.h"
#include "server/kafka_settings.h"
#include "server/no_dumps.h"
#include "server/registration.h"
#include "server/start_guard.h"
#include "server/store_witness.h"
#include "server/threads.h"
#include "storage/disk_reserve.h"
#include "storage/log_store.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace talosmq::server {
namespace {

constexpr int64_t kTailCacheBytesAutoMax = int64_t{256} << 20;
constexpr int64_t kTailCacheMemoryShare = 8;
constexpr size_t kShardsAutoMax = 4;

size_t ShardsOf(const ServerConfig& config) {
  if (config.shards > 0) return static_cast<size_t>(config.shards);
  return std::clamp<size_t>(static_cast<size_t>(sysconf(_SC_NPROCESSORS_ONLN)), 1, kShardsAutoMax);
}

int64_t TailCacheBytesOf(const ServerConfig& config) {
  if (config.tail_cache_bytes_max > 0) return config.tail_cache_bytes_max;
  const int64_t memory = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  return std::min(kTailCacheBytesAutoMax, memory / kTailCacheMemoryShare);
}

/// Empties and removes a folder of files.
absl::Status RemoveFiles(io::FileSystem& file_system, const std::string& directory) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto names, file_system.List(directory));
  for (const std::string& name : names) {
    TALOSMQ_RETURN_IF_ERROR(file_system.Remove(base::StrCat(directory, "/", name)));
  }
  return file_system.RemoveDirectory(directory);
}

/// Checked already: the names fit.
std::vector<kafka::KafkaListener> KafkaListenersOf(const ServerConfig& config,
                                                   const std::shared_ptr<base::TlsWatch>& tls) {
  std::vector<kafka::KafkaListener> listeners;
  const auto named = ParseNamedAddresses(config.kafka_listen);
  const auto advertised = config.kafka_advertised.empty()
                              ? std::vector<NamedAddress>()
                              : ParseNamedAddresses(config.kafka_advertised).value();
  for (const NamedAddress& listener : named.value()) {
    kafka::KafkaListener& made = listeners.emplace_back();
    made.host = listener.address.host;
    made.port = static_cast<uint16_t>(listener.address.port);
    const KafkaGuard guard = GuardOf(config, listener.name);
    if (guard.has_tls) made.tls = tls;
    made.asks_for_login = guard.asks_for_login;
    const auto told = std::ranges::find(advertised, listener.name, &NamedAddress::name);
    if (told == advertised.end()) continue;
    made.advertised_host = told->address.host;
    made.advertised_port = static_cast<uint16_t>(told->address.port);
  }
  return listeners;
}

std::vector<broker::HealthProblem> WarningsOf(const ServerConfig& config) {
  std::vector<broker::HealthProblem> warnings;
  const auto warn = [&warnings](std::string_view listener, const ListenAddress& address) {
    if (address.is_loopback()) return;
    warnings.push_back(
        {base::StrCat("listener ", listener), base::StrCat("whoever reaches ", address.ToString(),
                                                           " may read, write and delete everything "
                                                           "(security.insecure_network is set)")});
  };
  if (config.tls.ca.empty()) warn("grpc", config.grpc_listen);
  if (config.tls.ca.empty() || !config.http_tls) warn("http", config.http_listen);
  const auto kafka = ParseNamedAddresses(config.kafka_listen);
  for (const NamedAddress& listener : kafka.value()) {
    if (!GuardOf(config, listener.name).is_tight) warn("kafka", listener.address);
  }
  return warnings;
}

class Node final : public Server {
 public:
  Node(ServerConfig config, Dependencies dependencies)
      : config_(std::move(config)),
        dependencies_(dependencies),
        metrics_(http::PrometheusRegistry::Make()),
        threads_(ShardsOf(config_)) {}
  ~Node() override { TALOSMQ_CHECK(is_stopped_) << "stop the server first"; }

  absl::Status StartParts() {
    TALOSMQ_RETURN_IF_ERROR(OpenDirectory());
    TALOSMQ_RETURN_IF_ERROR(StartMetadata());
    TALOSMQ_RETURN_IF_ERROR(StartBroker());
    TALOSMQ_RETURN_IF_ERROR(StartDumps());
    return StartFronts();
  }

  const ListenerPorts& ports() const override { return ports_; }

  absl::Status Stop() override;

  /// A start that has failed is counted, with its reason.
  void NoteFailed(const absl::Status& why) {
    if (start_guard_ == nullptr) return;
    const absl::Status noted = start_guard_->NoteFailed(why);
    if (!noted.ok()) base::LogWarning("server", "failed starts: ", noted.message());
  }

 private:
  absl::Status OpenDirectory();
  absl::Status StartMetadata();
  /// A copy of what logs hold: nothing that is wrong with it keeps the server from starting.
  void OpenViews();
  absl::Status StartBroker();
  absl::Status StartDumps();
  absl::Status StartFronts();
  /// What clients are told before and after the port is known.
  std::string Advertised(const std::string& listened) const {
    return config_.grpc_advertised.empty() ? listened : config_.grpc_advertised;
  }

  const ServerConfig config_;
  const Dependencies dependencies_;
  bool is_stopped_ = false;
  bool is_registered_ = false;
  ListenerPorts ports_;

  // In the order in which they need each other; destroyed in the reverse one.
  const std::unique_ptr<http::PrometheusRegistry> metrics_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<storage::DiskReserve> reserve_;
  std::unique_ptr<StartGuard> start_guard_;
  Threads threads_;
  std::unique_ptr<kv::DiskStore> kv_;
  std::unique_ptr<kv::Store> views_;
  std::unique_ptr<group::OffsetViews> offset_views_;
  std::unique_ptr<StoreWitness> store_witness_;
  std::unique_ptr<metadata::MetadataStore> metadata_store_;
  std::unique_ptr<metadata::ImagePublisher> images_;
  std::unique_ptr<controller::TopicController> topic_controller_;
  std::unique_ptr<storage::LogStore> log_store_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<ClusterNotices> cluster_;
  std::unique_ptr<DumpAdapter> dumps_;
  NoDumps no_dumps_;
  std::unique_ptr<http::HttpFront> http_;
  std::unique_ptr<rpc::GrpcFront> grpc_;
  std::unique_ptr<kafka::FetchSessions> fetch_sessions_;
  kafka::BrokerSettings kafka_settings_;
  std::unique_ptr<kafka::KafkaFront> kafka_;
};

absl::Status Node::OpenDirectory() {
  TALOSMQ_ASSIGN_OR_RETURN(directory_,
                           DataDirectory::Open(dependencies_.file_system, config_.data_dir,
                                               config_.metadata_store, dependencies_.random));
  const NodeIdentity& identity = directory_->identity();
  if (!identity.is_clean) {
    base::LogInfo("server", "the last stop was not a clean one; logs recover as they are opened");
  }
  // Before anything else is written: on a full disk what follows uses its room.
  TALOSMQ_ASSIGN_OR_RETURN(
      reserve_,
      storage::DiskReserve::Open({.directory = directory_->path(), .bytes = config_.reserve_bytes},
                                 {dependencies_.file_system, *metrics_}));
  TALOSMQ_ASSIGN_OR_RETURN(start_guard_,
                           StartGuard::Begin(dependencies_.file_system, directory_->path()));
  kv::StoreMark mark = identity.store;
  // An older copy of the store has less; it has to be there and readable all the same.
  if (config_.accept_restored_copy) mark = {.writes = std::min<int64_t>(mark.writes, 1)};
  auto opened = kv::OpenRocksStore(directory_->kv_path(), mark);
  if (!opened.ok()) return directory_->DescribeStoreError(opened.status());
  kv_ = *std::move(opened);
  return absl::OkStatus();
}

absl::Status Node::StartMetadata() {
  TALOSMQ_ASSIGN_OR_RETURN(metadata_store_,
                           metadata::OpenEmbeddedStore({}, *kv_, threads_.metadata()));
  const auto old_copy = config_.accept_restored_copy ? DataDirectory::OldCopy::kAccept
                                                     : DataDirectory::OldCopy::kRefuse;
  if (config_.accept_restored_copy) {
    base::LogWarning("server",
                     "recovery.accept_restored_copy is set: an older copy of the data "
                     "directory would be taken; take the setting out again");
  }
  TALOSMQ_RETURN_IF_ERROR(RegisterNode(*directory_, old_copy,
                                       Advertised(config_.grpc_listen.ToString()), *metadata_store_,
                                       threads_.admin(), dependencies_.clock));
  is_registered_ = true;
  store_witness_ = std::make_unique<StoreWitness>(
      StoreWitness::Dependencies{*directory_, *kv_, *threads_.io().front()});
  // Before there is a log: from now on a store that is missing is never taken for a new one.
  TALOSMQ_RETURN_IF_ERROR(store_witness_->Record());
  TALOSMQ_RETURN_IF_ERROR(Await<absl::Status>([this](auto ready) {
    images_ =
        metadata::ImagePublisher::Start(*metadata_store_, threads_.images(), std::move(ready));
  }));
  topic_controller_ = std::make_unique<controller::TopicController>(
      controller::TopicController::Options{},
      controller::TopicController::Dependencies{*metadata_store_, threads_.admin(),
                                                dependencies_.clock, dependencies_.random});
  return Await<absl::Status>([this](auto done) { topic_controller_->Recover(std::move(done)); });
}

void Node::OpenViews() {
  const std::string path = base::StrCat(directory_->path(), "/views");
  absl::StatusOr<std::unique_ptr<kv::Store>> opened = kv::OpenRocksStore(path);
  if (!opened.ok()) {
    base::LogWarning("server", "the views in ", path,
                     " are made anew from their logs: ", base::FromAbsl(opened.status().message()));
    const absl::Status removed = RemoveFiles(dependencies_.file_system, path);
    if (removed.ok()) opened = kv::OpenRocksStore(path);
  }
  if (!opened.ok()) {
    base::LogWarning("server", "the views are kept in memory until the next start: ",
                     base::FromAbsl(opened.status().message()));
    opened = kv::MakeMemoryStore();
  }
  views_ = *std::move(opened);
  offset_views_ = std::make_unique<group::OffsetViews>(*views_);
}

absl::Status Node::StartBroker() {
  OpenViews();
  storage::LogStoreOptions storage = config_.storage;
  storage.directory = directory_->path();
  storage.accept_lost_journal = config_.accept_restored_copy;
  storage.tail_cache_bytes_max = TailCacheBytesOf(config_);
  TALOSMQ_ASSIGN_OR_RETURN(
      log_store_,
      storage::LogStore::Open(std::move(storage), {.file_system = dependencies_.file_system,
                                                   .catalogue = *kv_,
                                                   .reserve = *reserve_,
                                                   .clock = dependencies_.clock,
                                                   .metrics = *metrics_,
                                                   .random = dependencies_.random,
                                                   .flush_executor = threads_.flush(),
                                                   .write_back_executor = threads_.write_back(),
                                                   .compaction_executor = threads_.compaction(),
                                                   .checkpoint_executor = threads_.checkpoint(),
                                                   .io_executors = threads_.io()}));
  broker::BrokerOptions options = config_.broker;
  options.id = directory_->identity().broker;
  options.version = Version();
  options.data_directory = directory_->path();
  options.metadata_store = config_.metadata_store;
  TALOSMQ_ASSIGN_OR_RETURN(
      broker_, broker::Broker::Start(std::move(options), {.log_store = *log_store_,
                                                          .metadata_store = *metadata_store_,
                                                          .images = *images_,
                                                          .topic_controller = *topic_controller_,
                                                          .views = *offset_views_,
                                                          .views_executor = threads_.views(),
                                                          .shards = threads_.shards(),
                                                          .admin_executor = threads_.admin(),
                                                          .clock = dependencies_.clock,
                                                          .metrics = *metrics_}));
  cluster_ = std::make_unique<ClusterNotices>(broker_->cluster(), WarningsOf(config_));
  return absl::OkStatus();
}

absl::Status Node::StartDumps() {
  if (!config_.roles.sink) return absl::OkStatus();
  dumps_ = std::make_unique<DumpAdapter>(
      DumpAdapter::Dependencies{.messages = broker_->messages(),
                                .topics = broker_->topics(),
                                .store = *metadata_store_,
                                .file_system = dependencies_.file_system,
                                .clock = dependencies_.clock,
                                .metrics = *metrics_});
  return Await<absl::Status>([this](auto ready) { dumps_->Start(std::move(ready)); });
}

absl::Status Node::StartFronts() {
  std::shared_ptr<base::TlsWatch> tls;
  if (!config_.tls.certificate.empty()) {
    TALOSMQ_ASSIGN_OR_RETURN(tls, base::TlsWatch::Start(config_.tls, *threads_.io().front()));
  }
  TALOSMQ_ASSIGN_OR_RETURN(
      http_, http::HttpFront::Start(
                 {.host = config_.http_listen.host,
                  .port = config_.http_listen.port,
                  .tls = config_.http_tls ? tls : nullptr},
                 {.cluster = *cluster_, .metrics = *metrics_, .clock = dependencies_.clock}));
  broker::DumpControl* const dumps =
      dumps_ != nullptr ? static_cast<broker::DumpControl*>(dumps_.get()) : &no_dumps_;
  TALOSMQ_ASSIGN_OR_RETURN(grpc_,
                           rpc::GrpcFront::Start({.listen = config_.grpc_listen.ToString(),
                                                  .tls = tls,
                                                  .record_bytes_max = TailCacheBytesOf(config_)},
                                                 {.messages = broker_->messages(),
                                                  .topics = broker_->topics(),
                                                  .cluster = *cluster_,
                                                  .dumps = *dumps,
                                                  .groups = broker_->groups(),
                                                  .users = broker_->users(),
                                                  .clock = dependencies_.clock,
                                                  .metrics = *metrics_}));
  const kafka::KafkaFrontOptions kafka{.listeners = KafkaListenersOf(config_, tls),
                                       .threads = static_cast<int>(ShardsOf(config_))};
  kafka_settings_ = KafkaSettingsOf(config_, directory_->identity().broker);
  fetch_sessions_ = std::make_unique<kafka::FetchSessions>(
      kafka::FetchSessions::Options(),
      kafka::FetchSessions::Dependencies{
          .clock = dependencies_.clock, .random = dependencies_.random, .metrics = *metrics_});
  TALOSMQ_ASSIGN_OR_RETURN(kafka_,
                           kafka::KafkaFront::Start(kafka, {.messages = broker_->messages(),
                                                            .topics = broker_->topics(),
                                                            .groups = broker_->groups(),
                                                            .cluster = *cluster_,
                                                            .clock = dependencies_.clock,
                                                            .metrics = *metrics_,
                                                            .fetch_sessions = *fetch_sessions_,
                                                            .settings = kafka_settings_}));
  for (size_t i = 0; i < kafka.listeners.size(); ++i) {
    ports_.kafka.push_back(ListenAddress{kafka.listeners[i].host, kafka_->ports()[i]}.ToString());
  }
  ports_.grpc = ListenAddress{config_.grpc_listen.host, grpc_->port()}.ToString();
  ports_.http = ListenAddress{config_.http_listen.host, http_->port()}.ToString();
  if (config_.grpc_listen.port == 0) {
    TALOSMQ_RETURN_IF_ERROR(UpdateAddress(directory_->identity(), Advertised(ports_.grpc),
                                          *metadata_store_, threads_.admin()));
  }
  // First: whoever reads the ports may kill a server that is ready.
  TALOSMQ_RETURN_IF_ERROR(start_guard_->NoteReady());
  TALOSMQ_RETURN_IF_ERROR(directory_->WriteListeners(ports_));
  store_witness_->Start();
  return absl::OkStatus();
}

absl::Status Node::Stop() {
  absl::Status status;
  if (kafka_ != nullptr) kafka_->Stop();
  if (grpc_ != nullptr) grpc_->Stop();
  if (http_ != nullptr) http_->Stop();
  if (dumps_ != nullptr) dumps_->Stop();
  if (broker_ != nullptr) {
    Await<absl::Status>([this](auto done) {
      broker_->Stop([done = std::move(done)]() mutable { done(absl::OkStatus()); });
    }).IgnoreError();
  }
  if (log_store_ != nullptr) status.Update(log_store_->Close());
  if (images_ != nullptr) images_->Stop();
  if (store_witness_ != nullptr) store_witness_->Stop();
  threads_.Stop();
  kafka_.reset();
  grpc_.reset();
  http_.reset();
  dumps_.reset();
  cluster_.reset();
  broker_.reset();
  log_store_.reset();
  images_.reset();
  metadata_store_.reset();
  store_witness_.reset();
  offset_views_.reset();
  views_.reset();
  kv_.reset();
  if (is_registered_ && status.ok()) status.Update(directory_->MarkCleanStop());
  is_stopped_ = true;
  return status;
}

}  // namespace

std::string Version() { return TALOSMQ_VERSION; }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerConfig config,
                                                      Dependencies dependencies) {
  auto node = std::make_unique<Node>(std::move(config), dependencies);
  const absl::Status status = node->StartParts();
  if (status.ok()) return node;
  node->NoteFailed(status);
  const absl::Status stopped = node->Stop();
  if (!stopped.ok()) base::LogError("server", "stopping after that: ", stopped.ToString());
  return status;
}

}  // namespace talosmq::server
