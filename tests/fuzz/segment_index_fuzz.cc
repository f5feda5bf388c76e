// Any bytes as an index: first as they are, then with every checksum put right, so that the search
// gets behind them. The entries that are left ascend, and looking up any offset in them is safe.

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "storage/segment_index.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace talosmq::storage {
namespace {

const SegmentIdentity kSegment{.log = {.topic_id = TopicId(), .partition = PartitionId(1)},
                               .base_offset = Offset(100)};

void Check(base::ByteSpan bytes) {
  const auto index = ParseIndex(bytes, kSegment);
  if (!index.ok()) return;
  Offset end = kSegment.base_offset;
  uint64_t position = 0;
  for (const IndexEntry& entry : index->entries) {
    TALOSMQ_CHECK(entry.first_offset >= end);
    TALOSMQ_CHECK(entry.end_offset > entry.first_offset);
    TALOSMQ_CHECK(entry.position >= position);
    end = entry.end_offset;
    position = entry.end_position();
    const auto found = FindRun(index->entries, entry.first_offset);
    TALOSMQ_CHECK(*found == entry);
  }
}

/// The header of kSegment, and the fields of each entry under a right checksum.
std::vector<std::byte> Seal(base::ByteSpan bytes) {
  const auto header = EncodeIndexHeader({.segment = kSegment});
  std::vector<std::byte> sealed(header.begin(), header.end());
  for (; bytes.size() >= kIndexEntryBytes; bytes = bytes.subspan(kIndexEntryBytes)) {
    const IndexEntry entry{
        .first_offset = kSegment.base_offset + base::LoadBigEndian<uint32_t>(&bytes[0]),
        .end_offset = kSegment.base_offset + base::LoadBigEndian<uint32_t>(&bytes[4]),
        .position = base::LoadBigEndian<uint32_t>(&bytes[8]),
        .size = base::LoadBigEndian<uint32_t>(&bytes[12]),
        .max_timestamp_ms = base::LoadBigEndian<int64_t>(&bytes[16]),
        .check = base::LoadBigEndian<uint32_t>(&bytes[24])};
    const auto encoded = EncodeIndexEntry(kSegment, entry);
    sealed.insert(sealed.end(), encoded.begin(), encoded.end());
  }
  return sealed;
}

}  // namespace
}  // namespace talosmq::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const talosmq::base::ByteSpan bytes = std::as_bytes(std::span(data, size));
  talosmq::storage::Check(bytes);
  talosmq::storage::Check(talosmq::storage::Seal(bytes));
  return 0;
}
