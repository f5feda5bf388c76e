// Any bytes as a checkpoint file; what is read from them is written and read again as the same.

#include "base/bytes.h"
#include "base/check.h"
#include "storage/checkpoint.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace talosmq::storage {
namespace {

void CheckCheckpoint(base::ByteSpan bytes) {
  const auto loaded = ParseCheckpoint(bytes);
  if (!loaded.ok()) return;
  TALOSMQ_CHECK(loaded->points.size() <= bytes.size() / kCheckpointEntryBytes);
  const auto again =
      ParseCheckpoint(base::AsBytes(EncodeCheckpoint(loaded->points, loaded->journal)));
  TALOSMQ_CHECK(again.ok());
  TALOSMQ_CHECK(again->points == loaded->points);
  TALOSMQ_CHECK(again->journal == loaded->journal);
  TALOSMQ_CHECK(again->broken.empty()) << again->broken;
}

}  // namespace
}  // namespace talosmq::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const talosmq::base::ByteSpan bytes = std::as_bytes(std::span(data, size));
  talosmq::storage::CheckCheckpoint(bytes);
  return 0;
}
