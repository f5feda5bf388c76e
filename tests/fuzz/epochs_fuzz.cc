// Any bytes as an epoch file: first as they are, then with every checksum put right, so that the
// search gets behind them. What is read is written and read again as the same, and nothing in it
// goes down.

#include "base/bytes.h"
#include "base/check.h"
#include "storage/epoch_history.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace talosmq::storage {
namespace {

const TopicPartition kLog{.topic_id = TopicId(), .partition = PartitionId(1)};

void Check(base::ByteSpan bytes) {
  const auto loaded = ParseEpochs(bytes, kLog);
  if (!loaded.ok()) return;
  EpochEntry last{.epoch = kNoEpoch, .start_offset = Offset(0)};
  for (const EpochEntry& entry : loaded->entries) {
    TALOSMQ_CHECK(entry.epoch > last.epoch);
    TALOSMQ_CHECK(entry.start_offset >= last.start_offset);
    TALOSMQ_CHECK(EpochAt(loaded->entries, entry.start_offset) >= entry.epoch);
    last = entry;
  }
  const auto again = ParseEpochs(base::AsBytes(EncodeEpochs(kLog, loaded->entries)), kLog);
  TALOSMQ_CHECK(again.ok());
  TALOSMQ_CHECK(again->broken.empty()) << again->broken;
  TALOSMQ_CHECK(EncodeEpochs(kLog, again->entries) == EncodeEpochs(kLog, loaded->entries));
  auto cut = loaded->entries;
  CutEpochs(cut, Offset(100));
  TALOSMQ_CHECK(cut.size() == loaded->entries.size());
  TALOSMQ_CHECK(cut.empty() || cut.back().start_offset <= Offset(100));
}

/// The header of kLog, and the fields of each entry under a right checksum.
std::string Seal(base::ByteSpan bytes) {
  std::string sealed(base::AsText(EncodeEpochsHeader(kLog)));
  for (; bytes.size() >= kEpochEntryBytes; bytes = bytes.subspan(kEpochEntryBytes)) {
    sealed += base::AsText(
        EncodeEpochEntry(kLog, {.epoch = LeaderEpoch(base::LoadBigEndian<int32_t>(&bytes[0])),
                                .start_offset = Offset(base::LoadBigEndian<int64_t>(&bytes[4]))}));
  }
  return sealed;
}

}  // namespace
}  // namespace talosmq::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const talosmq::base::ByteSpan bytes = std::as_bytes(std::span(data, size));
  talosmq::storage::Check(bytes);
  talosmq::storage::Check(talosmq::base::AsBytes(talosmq::storage::Seal(bytes)));
  return 0;
}
