// Any bytes as a producer snapshot: first as they are, then behind a header that fits them. What is
// read can be restored, and is written as the same bytes.

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "storage/producer_snapshot.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace talosmq::storage {
namespace {

const TopicPartition kLog{.topic_id = TopicId(), .partition = PartitionId(1)};

void Check(base::ByteSpan bytes) {
  const auto snapshot = DecodeProducerSnapshot(bytes, kLog, Offset(7));
  if (!snapshot.ok()) return;
  ProducerTable table;
  table.Restore(snapshot->producers, absl::ZeroDuration());
  TALOSMQ_CHECK(table.size() == snapshot->producers.size());
  const auto again =
      DecodeProducerSnapshot(base::AsBytes(EncodeProducerSnapshot(*snapshot)), kLog, Offset(7));
  TALOSMQ_CHECK(again.ok()) << again.status();
  TALOSMQ_CHECK(again->producers == snapshot->producers);
}

/// The first byte is the number of producers, the rest the body.
std::string Seal(base::ByteSpan bytes) {
  std::string content = EncodeProducerSnapshot({.log = kLog, .offset = Offset(7), .producers = {}});
  if (bytes.empty()) return content;
  content += base::AsText(bytes.subspan(1));
  auto* const to = reinterpret_cast<std::byte*>(content.data());
  base::StoreBigEndian(to + 36, std::to_integer<uint32_t>(bytes[0]));
  base::StoreBigEndian(to + 40, static_cast<uint32_t>(bytes.size() - 1));
  const base::ByteSpan sealed = base::AsBytes(content);
  base::StoreBigEndian(
      to + 44, base::Crc32c(sealed.subspan(kSnapshotHeaderBytes), base::Crc32c(sealed.first(44))));
  return content;
}

}  // namespace
}  // namespace talosmq::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const talosmq::base::ByteSpan bytes = std::as_bytes(std::span(data, size));
  talosmq::storage::Check(bytes);
  talosmq::storage::Check(talosmq::base::AsBytes(talosmq::storage::Seal(bytes)));
  return 0;
}
