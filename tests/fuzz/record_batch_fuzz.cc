// Any bytes as a batch: first as they are, then with length, magic and CRC put right, so that the
// search gets behind the checksum. What validation lets pass, a reader has to read to its end.

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "record/batch.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace talosmq::record {
namespace {

constexpr int64_t kInflatedBytesMax = 1 << 20;

/// Records that a reader gives before it ends or fails; -1 when it does not open or fails.
int64_t CountRecords(base::ByteSpan batch) {
  auto reader = BatchReader::Open(batch, {.inflated_bytes_max = kInflatedBytesMax});
  if (!reader.ok()) return -1;
  int64_t count = 0;
  while (true) {
    const auto record = reader->Next();
    if (!record.ok()) return -1;
    if (!record->has_value()) return count;
    TALOSMQ_CHECK(HeadersOf(**record).size() == static_cast<size_t>((*record)->headers_count));
    TALOSMQ_CHECK((*record)->offset >= reader->header().base_offset);
    TALOSMQ_CHECK((*record)->offset <= reader->header().last_offset());
    ++count;
  }
}

void Check(base::ByteSpan batch) {
  const auto facts = ValidateClientBatch(
      batch, {.inflated_bytes_max = kInflatedBytesMax, .now_ms = int64_t{1} << 60});
  const int64_t read = CountRecords(batch);
  if (facts.ok()) TALOSMQ_CHECK(read == facts->header.count) << read;
}

void Seal(base::MutableByteSpan batch) {
  std::byte* const to = batch.data();
  base::StoreBigEndian(to + kLengthPosition, static_cast<int32_t>(batch.size() - kLengthBase));
  base::StoreBigEndian(to + kMagicPosition, kMagic);
  base::StoreBigEndian(to + kCrcPosition, base::Crc32c(batch.subspan(kCrcBegin)));
}

}  // namespace
}  // namespace talosmq::record

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const talosmq::base::ByteSpan bytes = std::as_bytes(std::span(data, size));
  talosmq::record::Check(bytes);
  if (size < talosmq::record::kHeaderBytes) return 0;
  std::vector<std::byte> sealed(bytes.begin(), bytes.end());
  talosmq::record::Seal(sealed);
  talosmq::record::Check(sealed);
  return 0;
}
