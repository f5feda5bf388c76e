#include "kafka/kafka_front.h"

#include "base/check.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "kafka/connection.h"
#include "kafka/loop.h"
#include "talosmq/error.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace talosmq::kafka {
namespace {

using asio::ip::tcp;

/// After an accept that failed, as for lack of descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr size_t kLoginsMax = 256;  ///< That wait for their password to be looked at.
constexpr int kLoginNiceness = 10;
constexpr int64_t kDescriptorsEach = 2;  ///< Of a connection: the socket, and a HangupWatch.

/// No more connections than leave descriptors for files.
ListenerLimits::Options Bounded(ListenerLimits::Options limits) {
  limits.connections_max =
      std::min(limits.connections_max, base::ConnectionDescriptorMax() / kDescriptorsEach);
  return limits;
}

class Front final : public KafkaFront {
 public:
  Front(const KafkaFrontOptions& options, const Services& services)
      : options_(options),
        services_(services),
        metrics_(services.metrics),
        limits_(std::make_shared<ListenerLimits>(Bounded(options.limits), metrics_.connections())) {
    for (int i = 0; i < options.threads; ++i) {
      loops_.push_back(std::make_shared<Loop>(base::StrCat("kafka-", i)));
    }
  }
  ~Front() override { TALOSMQ_CHECK(is_stopped_) << "stop the front first"; }

  absl::Status Listen() {
    for (const KafkaListener& listener : options_.listeners) {
      TALOSMQ_RETURN_IF_ERROR(Listen(listener));
    }
    return absl::OkStatus();
  }
  const std::vector<uint16_t>& ports() const override { return ports_; }
  void Stop() override {
    is_stopped_ = true;
    for (const auto& loop : loops_) loop->Stop();
    verifier_.Stop();
  }

 private:
  absl::Status Listen(const KafkaListener& listener);
  asio::awaitable<void> Accept(tcp::acceptor acceptor, KafkaListener listener);
  void Begin(tcp::socket socket, const KafkaListener& listener, std::shared_ptr<Loop> loop);

  const KafkaFrontOptions options_;
  const Services services_;
  const int descriptor_max_ = base::ConnectionDescriptorMax();
  FrontMetrics metrics_;
  const std::shared_ptr<ListenerLimits> limits_;
  base::ThreadExecutor verifier_{
      {.name = "kafka-login", .queue_tasks_max = kLoginsMax, .niceness = kLoginNiceness}};
  std::vector<std::shared_ptr<Loop>> loops_;
  std::vector<uint16_t> ports_;
  bool is_stopped_ = false;
};

absl::Status Front::Listen(const KafkaListener& listener) {
  const auto failed = [&](const asio::error_code& error) {
    return MakeError(Reason::kUnavailable,
                     base::StrCat("kafka.listen: cannot listen on ", listener.host, ":",
                                  listener.port, ": ", error.message()));
  };
  asio::error_code error;
  asio::io_context& context = loops_.front()->context();
  const auto found = tcp::resolver(context).resolve(listener.host, std::to_string(listener.port),
                                                    tcp::resolver::passive, error);
  if (error) return failed(error);
  tcp::acceptor acceptor(context);
  const tcp::endpoint address = found.begin()->endpoint();
  acceptor.open(address.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(address, error);
  if (!error) acceptor.listen(tcp::socket::max_listen_connections, error);
  if (error) return failed(error);
  ports_.push_back(acceptor.local_endpoint().port());
  asio::co_spawn(context, Accept(std::move(acceptor), listener), asio::detached);
  return absl::OkStatus();
}

asio::awaitable<void> Front::Accept(tcp::acceptor acceptor, KafkaListener listener) {
  for (size_t next = 0;; next = (next + 1) % loops_.size()) {
    const std::shared_ptr<Loop> loop = loops_[next];
    asio::error_code error;
    tcp::socket socket = co_await acceptor.async_accept(
        loop->context(), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      base::LogWarning("kafka", "accepting on port ", listener.port, ": ", error.message());
      asio::steady_timer pause(acceptor.get_executor(), kAcceptPause);
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    try {
      Begin(std::move(socket), listener, loop);
    } catch (const std::exception& thrown) {
      // As for lack of memory; there may be some for the next one.
      base::LogWarning("kafka", "a connection to port ", listener.port, ": ", thrown.what());
    }
  }
}

void Front::Begin(tcp::socket socket, const KafkaListener& listener, std::shared_ptr<Loop> loop) {
  asio::error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return;  // It has gone already.
  const tcp::endpoint local = socket.local_endpoint(error);
  if (error) return;
  const std::string address = peer.address().to_string();
  // Others than the clients of this front may have them.
  const bool has_descriptors = socket.native_handle() < descriptor_max_;
  auto seat = has_descriptors ? limits_->connections().Enter(address) : std::nullopt;
  const bool is_stranger = listener.asks_for_login || listener.tls != nullptr;
  auto stranger_seat = is_stranger ? limits_->strangers().Enter(address) : std::nullopt;
  if (!seat || (is_stranger && !stranger_seat)) {
    base::LogWarning("kafka", "too many connections", seat ? " that have not logged in" : "",
                     ", of all or of ", address, ": one more is closed");
    return;
  }
  const bool is_told = !listener.advertised_host.empty();
  const Endpoint endpoint{
      .host = is_told ? listener.advertised_host : local.address().to_string(),
      .port = is_told && listener.advertised_port != 0 ? listener.advertised_port : local.port()};
  std::shared_ptr<Login> login;
  if (listener.asks_for_login) {
    login = std::make_shared<Login>(
        listener.tls == nullptr ? Login::Channel::kPlain : Login::Channel::kEncrypted,
        Login::Dependencies{
            .topics = services_.topics, .loop = loop, .verifier = verifier_, .metrics = metrics_});
  }
  const auto connection = std::make_shared<Connection>(
      std::move(socket), endpoint,
      Connection::Dependencies{.services = services_,
                               .loop = loop,
                               .limits = limits_,
                               .seat = *std::move(seat),
                               .stranger_seat = std::move(stranger_seat),
                               .metrics = metrics_,
                               .tls = listener.tls == nullptr ? nullptr : listener.tls->current(),
                               .login = std::move(login),
                               .idle_timeout = options_.idle_timeout,
                               .answer_timeout = options_.answer_timeout,
                               .login_timeout = options_.login_timeout,
                               .failed_login_pause = options_.failed_login_pause,
                               .piece_timeout = options_.piece_timeout,
                               .frame_timeout = options_.frame_timeout});
  loop->Post([connection] { connection->Start(); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaFront>> KafkaFront::Start(const KafkaFrontOptions& options,
                                                              const Services& services) {
  auto front = std::make_unique<Front>(options, services);
  const absl::Status listening = front->Listen();
  if (!listening.ok()) {
    front->Stop();
    return listening;
  }
  return std::unique_ptr<KafkaFront>(std::move(front));
}

}  // namespace talosmq::kafka
