#include "kafka/protocol/headers.h"

#include "base/status.h"
#include "base/text.h"
#include "kafka/protocol/apis.h"
#include "talosmq/error.h"

namespace talosmq::kafka {
namespace {

bool HasTags(const Api& api, int16_t version) {
  return api.is_flexible(version) && api.key != ApiKey::kApiVersions;
}

}  // namespace

absl::Status Decode(Decoder& decoder, RequestHeader& header) {
  header = {};
  header.api_key = decoder.Number<int16_t>("RequestHeader.api_key");
  header.version = decoder.Number<int16_t>("RequestHeader.version");
  header.correlation_id = decoder.Number<int32_t>("RequestHeader.correlation_id");
  TALOSMQ_RETURN_IF_ERROR(decoder.status());
  const Api* const api = FindApi(header.api_key);
  if (api == nullptr) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("RequestHeader.api_key: there is no API ", header.api_key));
  }
  if (!decoder.Begin(*api, header.version)) return decoder.status();
  header.client_id = decoder.ClassicNullableString("RequestHeader.client_id");
  if (api->is_flexible(header.version)) decoder.SkipTags("RequestHeader");
  return decoder.status();
}

void Encode(Encoder& encoder, const RequestHeader& header) {
  const Api& api = ApiOf(static_cast<ApiKey>(header.api_key));
  encoder.Begin(api, header.version);
  encoder.Number(header.api_key);
  encoder.Number(header.version);
  encoder.Number(header.correlation_id);
  encoder.ClassicNullableString(header.client_id);
  if (api.is_flexible(header.version)) encoder.NoTags();
}

absl::StatusOr<int32_t> DecodeResponseHeader(Decoder& decoder, const Api& api, int16_t version) {
  const auto correlation_id = decoder.Number<int32_t>("ResponseHeader.correlation_id");
  if (HasTags(api, version)) decoder.SkipTags("ResponseHeader");
  TALOSMQ_RETURN_IF_ERROR(decoder.status());
  return correlation_id;
}

void EncodeResponseHeader(Encoder& encoder, const Api& api, int16_t version,
                          int32_t correlation_id) {
  encoder.Number(correlation_id);
  if (HasTags(api, version)) encoder.NoTags();
}

}  // namespace talosmq::kafka
