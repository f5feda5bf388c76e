// How clients call themselves.

#include "kafka/error_code.h"
#include "kafka/handlers.h"

#include "gtest/gtest.h"
#include "unit/kafka/handler_fixture.h"

#include <string>

namespace talosmq::kafka {
namespace {

using KafkaClientSoftwareTest = HandlerTest;

TEST_F(KafkaClientSoftwareTest, SoftwareThatNamesItselfBadlyIsRefused) {
  ApiVersionsRequest request;
  for (const char* const name : {"", "-a", "a-", "a b", "a\n", "a_b"}) {
    request.client_software_name = name;
    request.client_software_version = "1";
    EXPECT_EQ(Ask<ApiVersionsResponse>(request, 3).error_code, Wire(ErrorCode::kInvalidRequest))
        << name;
  }
  request.client_software_name = "apache-kafka.java";
  EXPECT_EQ(Ask<ApiVersionsResponse>(request, 3).error_code, 0);
}

TEST_F(KafkaClientSoftwareTest, SoManyClientsAreToldApartAndNoMore) {
  const size_t before = 1;  // "unknown".
  for (size_t i = 0; i < 2 * FrontMetrics::kSoftwareMax; ++i) {
    front_metrics_.RequestsBy("client", std::to_string(i)).Add(1);
  }
  front_metrics_.RequestsBy(std::string(FrontMetrics::kSoftwareBytesMax + 1, 'x'), "1").Add(1);
  Ask<ApiVersionsResponse>(ApiVersionsRequest(), 0);
  EXPECT_LE(broker_.metrics.CountOf("talosmq_kafka_client_requests_total"),
            FrontMetrics::kSoftwareMax + before);
  EXPECT_EQ(broker_.metrics.ValueOf(
                "talosmq_kafka_client_requests_total{software=client,software_version=5}"),
            1);
  EXPECT_GT(broker_.metrics.ValueOf(
                "talosmq_kafka_client_requests_total{software=other,software_version=other}"),
            static_cast<int64_t>(FrontMetrics::kSoftwareMax) - 1);
}

}  // namespace
}  // namespace talosmq::kafka
