#include "kafka/front_metrics.h"

#include <iterator>

namespace talosmq::kafka {
namespace {

constexpr std::string_view kMechanismNames[] = {"other", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
constexpr std::string_view kResultNames[] = {"done", "refused", "busy", "late"};

}  // namespace

FrontMetrics::FrontMetrics(base::MetricRegistry& registry)
    : registry_(registry),
      received_bytes_(registry.AddCounter("talosmq_kafka_received_bytes_total",
                                          "Bytes of the requests of Kafka clients.", {})),
      sent_bytes_(registry.AddCounter("talosmq_kafka_sent_bytes_total",
                                      "Bytes of the answers to Kafka clients.", {})),
      connections_(registry.AddGauge("talosmq_kafka_connections",
                                     "Open connections of Kafka clients.", {})) {
  connections_.Set(0);
  static_assert(std::size(kMechanismNames) == kMechanisms && std::size(kResultNames) == kResults);
  for (size_t mechanism = 0; mechanism < kMechanisms; ++mechanism) {
    for (size_t result = 0; result < kResults; ++result) {
      logins_[mechanism][result] =
          &registry.AddCounter("talosmq_kafka_logins_total",
                               "Logins of Kafka clients that have ended, by mechanism and result.",
                               {{"mechanism", std::string(kMechanismNames[mechanism])},
                                {"result", std::string(kResultNames[result])}});
    }
  }
}

base::Counter& FrontMetrics::Requests(std::string_view api, int16_t version) const {
  return registry_.AddCounter("talosmq_kafka_requests_total",
                              "Requests of Kafka clients, by API and version.",
                              {{"api", std::string(api)}, {"version", std::to_string(version)}});
}

base::Counter& FrontMetrics::RequestsBy(std::string_view software, std::string_view version) {
  const base::MutexLock lock(mutex_);
  std::pair<std::string, std::string> name(software, version);
  const bool is_long = software.size() > kSoftwareBytesMax || version.size() > kSoftwareBytesMax;
  const bool is_one_more = by_software_.size() >= kSoftwareMax && !by_software_.contains(name);
  if (is_long || is_one_more) name = {"other", "other"};
  base::Counter*& counter = by_software_[name];
  if (counter == nullptr) {
    counter = &registry_.AddCounter(
        "talosmq_kafka_client_requests_total",
        "Requests of Kafka clients, by the name and version that their software gives itself.",
        {{"software", name.first}, {"software_version", name.second}});
  }
  return *counter;
}

ClientMetrics::ClientMetrics(FrontMetrics& front)
    : front_(front), of_software_(&front.RequestsBy("unknown", "unknown")) {}

void ClientMetrics::CountRequest(std::string_view api, int16_t version) {
  base::Counter*& counter = by_api_[{api, version}];
  if (counter == nullptr) counter = &front_.Requests(api, version);
  counter->Add(1);
  of_software_->Add(1);
}

void ClientMetrics::NameSoftware(std::string_view software, std::string_view version) {
  if (is_trusted_) {
    of_software_ = &front_.RequestsBy(software, version);
  } else {
    untrusted_name_.emplace(software, version);
  }
}

void ClientMetrics::TrustName() {
  is_trusted_ = true;
  if (!untrusted_name_) return;
  of_software_ = &front_.RequestsBy(untrusted_name_->first, untrusted_name_->second);
  untrusted_name_.reset();
}

}  // namespace talosmq::kafka
