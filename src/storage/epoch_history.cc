#include "storage/epoch_history.h"

#include "base/crc32c.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>

namespace talosmq::storage {
namespace {

constexpr size_t kHeaderCrcPosition = kEpochsHeaderBytes - sizeof(uint32_t);
constexpr size_t kEntryCrcPosition = kEpochEntryBytes - sizeof(uint32_t);

uint32_t CrcOfEntry(const TopicPartition& log, base::ByteSpan fields) {
  std::array<std::byte, sizeof(int32_t)> partition;
  base::StoreBigEndian(partition.data(), log.partition.value());
  const uint32_t identity =
      base::Crc32c(partition, base::Crc32c(base::AsBytes(log.topic_id.bytes())));
  return base::Crc32c(fields, identity);
}

}  // namespace

std::array<std::byte, kEpochsHeaderBytes> EncodeEpochsHeader(const TopicPartition& log) {
  std::array<std::byte, kEpochsHeaderBytes> bytes{};
  base::StoreBigEndian(bytes.data(), kEpochsMagic);
  bytes[4] = std::byte{kEpochsVersion};
  std::ranges::copy(base::AsBytes(log.topic_id.bytes()), bytes.begin() + 8);
  base::StoreBigEndian(&bytes[24], log.partition.value());
  base::StoreBigEndian(&bytes[kHeaderCrcPosition],
                       base::Crc32c(base::ByteSpan(bytes).first(kHeaderCrcPosition)));
  return bytes;
}

std::array<std::byte, kEpochEntryBytes> EncodeEpochEntry(const TopicPartition& log,
                                                         const EpochEntry& entry) {
  std::array<std::byte, kEpochEntryBytes> bytes;
  base::StoreBigEndian(&bytes[0], entry.epoch.value());
  base::StoreBigEndian(&bytes[4], entry.start_offset.value());
  base::StoreBigEndian(&bytes[kEntryCrcPosition],
                       CrcOfEntry(log, base::ByteSpan(bytes).first(kEntryCrcPosition)));
  return bytes;
}

std::string EncodeEpochs(const TopicPartition& log, std::span<const EpochEntry> entries) {
  std::string content(base::AsText(EncodeEpochsHeader(log)));
  for (const EpochEntry& entry : entries) content += base::AsText(EncodeEpochEntry(log, entry));
  return content;
}

absl::StatusOr<LoadedEpochs> ParseEpochs(base::ByteSpan bytes, const TopicPartition& log) {
  LoadedEpochs epochs;
  if (bytes.size() < kEpochsHeaderBytes ||
      base::Crc32c(bytes.first(kHeaderCrcPosition)) !=
          base::LoadBigEndian<uint32_t>(bytes.data() + kHeaderCrcPosition) ||
      base::LoadBigEndian<uint32_t>(bytes.data()) != kEpochsMagic) {
    epochs.broken = "the header is cut off or its checksum is wrong";
    return epochs;
  }
  if (const auto version = std::to_integer<int>(bytes[4]); version != kEpochsVersion) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("epoch file of ", log.ToString(), ": expected version ",
                                  kEpochsVersion, ", found ", version));
  }
  if (base::AsText(bytes.subspan(8, 16)) != log.topic_id.bytes() ||
      base::LoadBigEndian<int32_t>(&bytes[24]) != log.partition.value()) {
    epochs.broken = "the header names another log";
    return epochs;
  }
  for (bytes = bytes.subspan(kEpochsHeaderBytes); !bytes.empty();
       bytes = bytes.subspan(kEpochEntryBytes)) {
    if (bytes.size() < kEpochEntryBytes ||
        base::LoadBigEndian<uint32_t>(&bytes[kEntryCrcPosition]) !=
            CrcOfEntry(log, bytes.first(kEntryCrcPosition))) {
      epochs.broken =
          base::StrCat("entry ", epochs.entries.size(), ": cut off or its checksum is wrong");
      break;
    }
    const EpochEntry entry{.epoch = LeaderEpoch(base::LoadBigEndian<int32_t>(&bytes[0])),
                           .start_offset = Offset(base::LoadBigEndian<int64_t>(&bytes[4]))};
    const EpochEntry last = epochs.entries.empty()
                                ? EpochEntry{.epoch = kNoEpoch, .start_offset = Offset(0)}
                                : epochs.entries.back();
    if (entry.epoch <= last.epoch || entry.start_offset < last.start_offset) {
      epochs.broken =
          base::StrCat("entry ", epochs.entries.size(), ": expected an epoch above ",
                       last.epoch.value(), " from offset ", last.start_offset.value(),
                       " on, found ", entry.epoch.value(), " from ", entry.start_offset.value());
      break;
    }
    epochs.entries.push_back(entry);
  }
  return epochs;
}

LeaderEpoch EpochAt(std::span<const EpochEntry> history, Offset offset) {
  const auto after =
      std::partition_point(history.begin(), history.end(),
                           [&](const EpochEntry& entry) { return entry.start_offset <= offset; });
  return after == history.begin() ? kNoEpoch : std::prev(after)->epoch;
}

bool CutEpochs(std::vector<EpochEntry>& history, Offset end) {
  bool is_changed = false;
  for (EpochEntry& entry : history) {
    if (entry.start_offset <= end) continue;
    entry.start_offset = end;
    is_changed = true;
  }
  return is_changed;
}

}  // namespace talosmq::storage
