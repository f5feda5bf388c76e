// Any bytes as an answer that a client of ours gets. The input: key and version of the API in two
// bytes each, then header and response. What is read can be written and is then read the same
// again.

#include "base/check.h"
#include "kafka/protocol/headers.h"
#include "support/kafka_messages.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace talosmq::kafka {
namespace {

constexpr size_t kSizeBytes = 4;

template <typename Response>
void Check(Decoder& decoder, const Api& api, int16_t version) {
  const auto correlation = DecodeResponseHeader(decoder, api, version);
  if (!correlation.ok()) return;
  Response response;
  if (!Decode(decoder, version, response).ok()) return;
  Encoder encoder;
  EncodeResponseHeader(encoder, api, version, *correlation);
  Encode(encoder, version, response);
  const auto frame = std::move(encoder).Take();
  TALOSMQ_CHECK(frame.ok()) << frame.status();
  std::string bytes;
  for (const base::Buffer& piece : frame->pieces) bytes += piece.text();
  Decoder again(base::AsBytes(bytes).subspan(kSizeBytes));
  TALOSMQ_CHECK(DecodeResponseHeader(again, api, version).value() == *correlation);
  Response response_again;
  TALOSMQ_CHECK(Decode(again, version, response_again).ok());
  TALOSMQ_CHECK(response_again == response);
}

void Check(base::ByteSpan input) {
  Decoder decoder(input);
  const auto key = decoder.Number<int16_t>("api key");
  const auto version = decoder.Number<int16_t>("version");
  const Api* const api = FindApi(key);
  if (!decoder.ok() || api == nullptr || !api->has_version(version)) return;
  VisitApi(api->key,
           [&]<typename Request, typename Response>() { Check<Response>(decoder, *api, version); });
}

}  // namespace
}  // namespace talosmq::kafka

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  talosmq::kafka::Check({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
