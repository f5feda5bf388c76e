// Any bytes as a group of the journal: first as they are, then with every checksum put right, so
// that the search gets behind them. What is read never goes beyond the bytes that are there.

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "storage/journal_format.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace talosmq::storage {
namespace {

constexpr JournalIdentity kIdentity{};
constexpr uint64_t kHeadBytesMax = 1 << 20;

void Check(base::ByteSpan bytes) {
  const auto size = ReadJournalHeader(kIdentity, bytes);
  if (!size.ok() || !size->has_value()) return;
  TALOSMQ_CHECK((*size)->total_bytes() % kJournalBlockBytes == 0);
  if ((*size)->head_bytes() > kHeadBytesMax) return;
  std::vector<std::byte> head(bytes.begin(), bytes.end());
  head.resize((*size)->head_bytes());
  const base::ByteSpan table = base::ByteSpan(head).subspan(kJournalHeaderBytes);
  base::StoreBigEndian(&head[56], base::Crc32c(table));
  const auto group = DecodeJournalGroup(head);
  if (!group) return;
  TALOSMQ_CHECK(group->before < group->sequence && group->oldest <= group->sequence);
  TALOSMQ_CHECK(group->sections.size() * kJournalSectionBytes <= table.size());
}

/// The bytes with the magic, the version and the checksum of a header.
std::vector<std::byte> Seal(base::ByteSpan bytes) {
  std::vector<std::byte> sealed(bytes.begin(), bytes.end());
  if (sealed.size() < kJournalHeaderBytes) sealed.resize(kJournalHeaderBytes);
  base::StoreBigEndian(sealed.data(), kJournalMagic);
  sealed[4] = std::byte{kJournalVersion};
  base::StoreBigEndian(&sealed[60],
                       base::Crc32c(base::ByteSpan(sealed).first(60), base::Crc32c(kIdentity)));
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
