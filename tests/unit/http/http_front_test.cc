#include "http/http_front.h"

#include "base/text.h"
#include "http/limits.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <arpa/inet.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace talosmq::http {
namespace {

using testing::HasSubstr;

class FakeCluster final : public broker::ClusterService {
 public:
  broker::ServerInfo GetServerInfo() const override { return {}; }
  void CheckHealth(base::Callback<broker::HealthReport> done) override { done(report); }
  void DeleteOrphan(const TopicPartition&, base::Callback<absl::Status> done) override {
    done(absl::OkStatus());
  }

  broker::HealthReport report;
};

class HttpFrontTest : public testing::Test {
 protected:
  HttpFrontTest() : metrics_(PrometheusRegistry::Make()) {
    auto front = HttpFront::Start({.port = 0}, {cluster_, *metrics_, clock_});
    EXPECT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
  }
  ~HttpFrontTest() override { front_->Stop(); }

  httplib::Result Get(const std::string& path) {
    return httplib::Client("127.0.0.1", front_->port()).Get(path);
  }

  int Connect() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(front_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return socket;
  }

  /// Sends raw bytes and returns all that comes back until the server closes.
  std::string Exchange(const std::string& bytes) {
    const int socket = Connect();
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t count = send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<size_t>(count);
    }
    std::string answer;
    char buffer[4096];
    for (ssize_t count = 0; (count = recv(socket, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, static_cast<size_t>(count));
    }
    close(socket);
    return answer;
  }

  base::SystemClock clock_;
  FakeCluster cluster_;
  std::unique_ptr<PrometheusRegistry> metrics_;
  std::unique_ptr<HttpFront> front_;
};

TEST_F(HttpFrontTest, ProblemIsToldWithStatus503) {
  cluster_.report.problems.push_back({"partition orders/3", "it is fenced"});
  cluster_.report.orphans.push_back("id/0");
  const auto result = Get("/health");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 503);
  EXPECT_THAT(result->body, HasSubstr("\"is_healthy\": false"));
  EXPECT_THAT(result->body, HasSubstr("partition orders/3"));
  EXPECT_THAT(result->body, HasSubstr("id/0"));
}

TEST_F(HttpFrontTest, WarningAloneIsStillHealthy) {
  cluster_.report.warnings.push_back({"listener grpc", "open \xff to the world"});
  const auto result = Get("/health");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_THAT(result->body, HasSubstr("listener grpc"));
}

TEST_F(HttpFrontTest, MetricsAreInPrometheusForm) {
  metrics_->AddCounter("talosmq_test_total", "Things.", {{"kind", "a"}}).Add(2);
  metrics_->AddCounter("talosmq_test_total", "Things.", {{"kind", "a"}}).Add(1);
  metrics_->AddGauge("talosmq_test_bytes", "Bytes.", {}).Set(7);
  metrics_->AddHistogram("talosmq_test_seconds", "Time.", {}, {0.1, 1}).Observe(0.5);
  const auto result = Get("/metrics");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_THAT(result->body, HasSubstr("# TYPE talosmq_test_total counter"));
  EXPECT_THAT(result->body, HasSubstr("talosmq_test_total{kind=\"a\"} 3"));
  EXPECT_THAT(result->body, HasSubstr("talosmq_test_bytes 7"));
  EXPECT_THAT(result->body, HasSubstr("talosmq_test_seconds_bucket{le=\"1\"} 1"));
}

TEST_F(HttpFrontTest, UnknownPathIsNotFound) {
  const auto result = Get("/nothing");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 404);
}

TEST_F(HttpFrontTest, EndlessHeaderLineIsCutOff) {
  EXPECT_THAT(Exchange("GET /health HTTP/1.1\r\nx: " + std::string(1 << 20, 'x')),
              testing::Not(HasSubstr("200")));
  EXPECT_TRUE(Get("/health"));
}

TEST_F(HttpFrontTest, EndlessHeadersAreCutOff) {
  std::string request = "GET /health HTTP/1.1\r\n";
  for (int i = 0; i < 100'000; ++i) request += base::StrCat("x", i, ": y\r\n");
  EXPECT_THAT(Exchange(request), testing::Not(HasSubstr("200")));
  EXPECT_TRUE(Get("/health"));
}

TEST_F(HttpFrontTest, BodyAboveTheBoundIsRefused) {
  const std::string answer = Exchange("POST /health HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" +
                                      std::string(70'000, 'x'));
  EXPECT_THAT(answer, testing::Not(HasSubstr("200 OK")));
  EXPECT_TRUE(Get("/health"));
}

TEST_F(HttpFrontTest, SilentConnectionsGiveWayToTheNextOneAndToTheStop) {
  const absl::Duration begin = clock_.Monotonic();
  std::vector<int> silent;
  for (size_t i = 0; i < 10 * kThreads; ++i) silent.push_back(Connect());
  EXPECT_TRUE(Get("/health"));
  for (size_t i = 0; i < kThreads; ++i) silent.push_back(Connect());
  front_->Stop();
  EXPECT_LT(clock_.Monotonic() - begin, kRequestTimeout / 2);
  for (const int socket : silent) close(socket);
  front_ = *HttpFront::Start({.port = 0}, {cluster_, *metrics_, clock_});
}

TEST_F(HttpFrontTest, ConnectionIsClosedAfterTheAnswer) {
  EXPECT_THAT(Exchange("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("Connection: close"));
}

TEST_F(HttpFrontTest, TakenPortIsRefusedByName) {
  const auto second = HttpFront::Start({.port = front_->port()}, {cluster_, *metrics_, clock_});
  EXPECT_EQ(ReasonOf(second.status()), Reason::kUnavailable);
  EXPECT_THAT(second.status().ToString(), HasSubstr(base::StrCat("127.0.0.1:", front_->port())));
}

}  // namespace
}  // namespace talosmq::http
