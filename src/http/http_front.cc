#include "http/http_front.h"

#include "base/check.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/text.h"
#include "http/connection_queue.h"
#include "http/limits.h"
#include "http/open_connections.h"
#include "http/socket_stream.h"

#include <httplib.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

namespace talosmq::http {
namespace {

constexpr int kOk = 200;
constexpr int kServiceUnavailable = 503;

/// A report that a thread waits for. Shared: the answer may come after the wait is over.
class AwaitedReport {
 public:
  void Set(broker::HealthReport report) {
    const base::MutexLock lock(mutex_);
    report_ = std::move(report);
    is_there_.SignalAll();
  }

  broker::HealthReport Wait(const base::Clock& clock) {
    const absl::Duration deadline = clock.Monotonic() + kHealthTimeout;
    const base::MutexLock lock(mutex_);
    while (!report_.has_value()) {
      const absl::Duration left = deadline - clock.Monotonic();
      if (left <= absl::ZeroDuration()) {
        broker::HealthReport late;
        late.problems.push_back({"broker", "it does not answer in time"});
        return late;
      }
      is_there_.WaitFor(mutex_, left);
    }
    return *std::move(report_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar is_there_;
  std::optional<broker::HealthReport> report_ ABSL_GUARDED_BY(mutex_);
};

nlohmann::json ToJson(const std::vector<broker::HealthProblem>& problems) {
  nlohmann::json list = nlohmann::json::array();
  for (const broker::HealthProblem& problem : problems) {
    list.push_back({{"object", problem.object}, {"problem", problem.problem}});
  }
  return list;
}

std::string Render(const broker::HealthReport& report) {
  const nlohmann::json body = {{"is_healthy", report.problems.empty()},
                               {"problems", ToJson(report.problems)},
                               {"warnings", ToJson(report.warnings)},
                               {"orphans", report.orphans}};
  // Names from the disk need not be UTF-8.
  return body.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// httplib's server with connections of our own kind, and a word when it really listens.
class Server final : public httplib::Server {
 public:
  Server(std::shared_ptr<base::TlsWatch> tls, const base::Clock& clock)
      : tls_(std::move(tls)), clock_(clock) {
    new_task_queue = [this] {
      const base::MutexLock lock(mutex_);
      is_listening_ = true;
      listens_.SignalAll();
      return new ConnectionQueue([this] { connections_.EndOldestWaiting(); });
    };
  }

  /// httplib lets 5 connections wait in the kernel; the next client would have to try again.
  void LetConnectionsWait() { ::listen(svr_sock_, SOMAXCONN); }

  void Stop() {
    connections_.StopReading();
    stop();
  }

  /// stop() is lost on a server that does not listen yet.
  void WaitUntilListening() {
    const base::MutexLock lock(mutex_);
    while (!is_listening_) listens_.Wait(mutex_);
  }

 private:
  bool process_and_close_socket(socket_t socket) override {
    const bool served = Serve(socket);
    shutdown(socket, SHUT_RDWR);
    close(socket);
    return served;
  }

  bool Serve(socket_t socket) {
    SocketStream stream(socket, clock_);
    connections_.Enter(stream);
    bool is_closed = false;
    const bool served = (tls_ == nullptr || stream.StartTls(*tls_->current())) &&
                        process_request(stream, /*close_connection=*/true, is_closed, nullptr);
    connections_.Leave(stream);
    return served;
  }

  const std::shared_ptr<base::TlsWatch> tls_;
  const base::Clock& clock_;
  base::Mutex mutex_;
  base::CondVar listens_;
  bool is_listening_ ABSL_GUARDED_BY(mutex_) = false;
  OpenConnections connections_;
};

class Front final : public HttpFront {
 public:
  Front(std::shared_ptr<base::TlsWatch> tls, const Dependencies& dependencies)
      : dependencies_(dependencies),
        server_(std::move(tls), dependencies.clock),
        acceptor_({.name = "http-accept"}) {}
  ~Front() override { TALOSMQ_CHECK(!is_running_) << "stop the HTTP front first"; }

  absl::Status Listen(const HttpFrontOptions& options) {
    port_ = Bind(options);
    if (port_ <= 0) {
      return MakeError(
          Reason::kUnavailable,
          base::StrCat("http.listen: cannot listen on ", options.host, ":", options.port,
                       "; is the port taken, or the address not of this machine?"));
    }
    server_.LetConnectionsWait();
    server_.set_payload_max_length(kRequestBytesMax);
    AddRoutes();
    is_running_ = true;
    acceptor_.Post([this] { server_.listen_after_bind(); });
    server_.WaitUntilListening();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void Stop() override {
    server_.Stop();
    acceptor_.Stop();
    is_running_ = false;
  }

 private:
  int Bind(const HttpFrontOptions& options) {
    // httplib would share the port with a second server (SO_REUSEPORT).
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    if (options.port == 0) return server_.bind_to_any_port(options.host);
    return server_.bind_to_port(options.host, options.port) ? options.port : -1;
  }

  void AddRoutes() {
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(dependencies_.metrics.Render(), "text/plain; version=0.0.4");
    });
    server_.Get("/health", [this](const httplib::Request&, httplib::Response& response) {
      const auto awaited = std::make_shared<AwaitedReport>();
      dependencies_.cluster.CheckHealth(
          [awaited](broker::HealthReport report) { awaited->Set(std::move(report)); });
      const broker::HealthReport report = awaited->Wait(dependencies_.clock);
      response.status = report.problems.empty() ? kOk : kServiceUnavailable;
      response.set_content(Render(report), "application/json");
    });
  }

  const Dependencies dependencies_;
  Server server_;
  base::ThreadExecutor acceptor_;
  int port_ = 0;
  bool is_running_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpFront>> HttpFront::Start(HttpFrontOptions options,
                                                            Dependencies dependencies) {
  auto front = std::make_unique<Front>(options.tls, dependencies);
  TALOSMQ_RETURN_IF_ERROR(front->Listen(options));
  return front;
}

}  // namespace talosmq::http
