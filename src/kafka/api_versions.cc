#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/served_apis.h"

#include <algorithm>
#include <string_view>

namespace talosmq::kafka {
namespace {

/// Kafka's rule for names that become labels of metrics: letters and digits, within also - and '.'.
bool IsSoftwareName(std::string_view text) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  return std::ranges::all_of(text,
                             [&](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

}  // namespace

void Handle(const Services& /*services*/,
            ExchangePtr<ApiVersionsRequest, ApiVersionsResponse> exchange) {
  const ApiVersionsRequest& request = exchange->request;
  const bool is_named = exchange->version() >= 3;
  if (is_named && !(IsSoftwareName(request.client_software_name) &&
                    IsSoftwareName(request.client_software_version))) {
    exchange->response.error_code = Wire(ErrorCode::kInvalidRequest);
    return;
  }
  if (is_named) {
    exchange->caller().metrics->NameSoftware(request.client_software_name,
                                             request.client_software_version);
  }
  exchange->response.api_keys = ServedRanges();
}

}  // namespace talosmq::kafka
