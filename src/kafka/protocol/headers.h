#pragma once

#include "kafka/protocol/api.h"
#include "kafka/protocol/decoder.h"
#include "kafka/protocol/encoder.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace talosmq::kafka {

/// In front of every request: Kafka's request header version 1, with tags at its end version 2,
/// which belongs to the flexible versions of an API.
struct RequestHeader {
  int16_t api_key = 0;
  int16_t version = 0;
  int32_t correlation_id = 0;  ///< The answer bears it.
  std::optional<std::string_view> client_id;

  friend bool operator==(const RequestHeader&, const RequestHeader&) = default;
};

/// Leaves `decoder` at the request itself. kUnsupportedVersion: the codec knows no such API or
/// version; then the first three fields hold, the rest of the frame cannot be understood. For
/// ApiVersions an answer in version 0 is due all the same.
absl::Status Decode(Decoder& decoder, RequestHeader& header);
/// Of an API and version that the codec knows.
void Encode(Encoder& encoder, const RequestHeader& header);

/// In front of every response. Of ApiVersions it never has tags: whoever asks does not know yet
/// what the server understands.
absl::StatusOr<int32_t> DecodeResponseHeader(Decoder& decoder, const Api& api, int16_t version);
void EncodeResponseHeader(Encoder& encoder, const Api& api, int16_t version,
                          int32_t correlation_id);

}  // namespace talosmq::kafka
