// Any bytes as a frame that a Kafka client sends: header, then the request that it names. What is
// read can be written and is then read the same again.

#include "base/check.h"
#include "kafka/protocol/headers.h"
#include "support/kafka_messages.h"
#include "talosmq/error.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace talosmq::kafka {
namespace {

constexpr size_t kSizeBytes = 4;

template <typename Request>
void Check(Decoder& decoder, const RequestHeader& header) {
  Request request;
  const absl::Status status = Decode(decoder, header.version, request);
  if (!status.ok()) {
    TALOSMQ_CHECK(ReasonOf(status) == Reason::kInvalidArgument);
    return;
  }
  Encoder encoder;
  Encode(encoder, header);
  Encode(encoder, header.version, request);
  const auto frame = std::move(encoder).Take();
  TALOSMQ_CHECK(frame.ok()) << frame.status();
  std::string bytes;
  for (const base::Buffer& piece : frame->pieces) bytes += piece.text();
  Decoder again(base::AsBytes(bytes).subspan(kSizeBytes));
  RequestHeader header_again;
  TALOSMQ_CHECK(Decode(again, header_again).ok());
  TALOSMQ_CHECK(header_again == header);
  Request request_again;
  TALOSMQ_CHECK(Decode(again, header.version, request_again).ok());
  TALOSMQ_CHECK(request_again == request);
}

void Check(base::ByteSpan frame) {
  Decoder decoder(frame);
  RequestHeader header;
  const absl::Status status = Decode(decoder, header);
  if (!status.ok()) {
    const Reason reason = ReasonOf(status);
    TALOSMQ_CHECK(reason == Reason::kInvalidArgument || reason == Reason::kUnsupportedVersion);
    return;
  }
  VisitApi(static_cast<ApiKey>(header.api_key),
           [&]<typename Request, typename Response>() { Check<Request>(decoder, header); });
}

}  // namespace
}  // namespace talosmq::kafka

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  talosmq::kafka::Check({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
