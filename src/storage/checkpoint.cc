#include "storage/checkpoint.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>
#include <array>
#include <optional>

namespace talosmq::storage {
namespace {

constexpr size_t kHeaderCrcPosition = kCheckpointHeaderBytes - sizeof(uint32_t);
constexpr size_t kMarkCrcPosition = kCheckpointMarkBytes - sizeof(uint32_t);
constexpr size_t kEntryCrcPosition = kCheckpointEntryBytes - sizeof(uint32_t);
constexpr int kVersionWithoutMark = 1;

std::array<std::byte, kCheckpointMarkBytes> EncodeMark(const JournalMark& mark) {
  std::array<std::byte, kCheckpointMarkBytes> bytes;
  base::StoreBigEndian(&bytes[0], mark.newest);
  base::StoreBigEndian(&bytes[8], mark.oldest);
  base::StoreBigEndian(&bytes[kMarkCrcPosition],
                       base::Crc32c(base::ByteSpan(bytes).first(kMarkCrcPosition)));
  return bytes;
}

/// Nothing when it is cut off or its checksum is wrong.
std::optional<JournalMark> DecodeMark(base::ByteSpan bytes) {
  if (bytes.size() < kCheckpointMarkBytes ||
      base::LoadBigEndian<uint32_t>(&bytes[kMarkCrcPosition]) !=
          base::Crc32c(bytes.first(kMarkCrcPosition))) {
    return std::nullopt;
  }
  return JournalMark{.newest = base::LoadBigEndian<uint64_t>(&bytes[0]),
                     .oldest = base::LoadBigEndian<uint64_t>(&bytes[8])};
}

std::array<std::byte, kCheckpointEntryBytes> EncodeEntry(const TopicPartition& log,
                                                         const FlushedPoint& point) {
  std::array<std::byte, kCheckpointEntryBytes> bytes;
  std::ranges::copy(base::AsBytes(log.topic_id.bytes()), bytes.begin());
  base::StoreBigEndian(&bytes[16], log.partition.value());
  base::StoreBigEndian(&bytes[20], point.log_start.value());
  base::StoreBigEndian(&bytes[28], point.end_offset.value());
  base::StoreBigEndian(&bytes[36], point.segment.value());
  base::StoreBigEndian(&bytes[44], point.position);
  base::StoreBigEndian(&bytes[52], point.removed_bytes);
  base::StoreBigEndian(&bytes[kEntryCrcPosition],
                       base::Crc32c(base::ByteSpan(bytes).first(kEntryCrcPosition)));
  return bytes;
}

/// False when the entry's checksum is wrong.
bool AddEntry(base::ByteSpan bytes, FlushedPoints& points) {
  if (base::LoadBigEndian<uint32_t>(&bytes[kEntryCrcPosition]) !=
      base::Crc32c(bytes.first(kEntryCrcPosition))) {
    return false;
  }
  const auto topic_id = TopicId::FromBytes(base::AsText(bytes.first(16)));
  TALOSMQ_CHECK(topic_id.has_value());
  points[{.topic_id = *topic_id,
          .partition = PartitionId(base::LoadBigEndian<int32_t>(&bytes[16]))}] =
      FlushedPoint{.log_start = Offset(base::LoadBigEndian<int64_t>(&bytes[20])),
                   .end_offset = Offset(base::LoadBigEndian<int64_t>(&bytes[28])),
                   .segment = Offset(base::LoadBigEndian<int64_t>(&bytes[36])),
                   .position = base::LoadBigEndian<uint64_t>(&bytes[44]),
                   .removed_bytes = base::LoadBigEndian<int64_t>(&bytes[52])};
  return true;
}

}  // namespace

std::string EncodeCheckpoint(const FlushedPoints& points, const JournalMark& journal) {
  std::array<std::byte, kCheckpointHeaderBytes> header{};
  base::StoreBigEndian(&header[0], kCheckpointMagic);
  header[4] = std::byte{kCheckpointVersion};
  base::StoreBigEndian(&header[8], static_cast<uint32_t>(points.size()));
  base::StoreBigEndian(&header[kHeaderCrcPosition],
                       base::Crc32c(base::ByteSpan(header).first(kHeaderCrcPosition)));
  std::string content(base::AsText(header));
  content.reserve(kCheckpointHeaderBytes + kCheckpointMarkBytes +
                  points.size() * kCheckpointEntryBytes);
  content += base::AsText(EncodeMark(journal));
  for (const auto& [log, point] : points) content += base::AsText(EncodeEntry(log, point));
  return content;
}

absl::StatusOr<LoadedCheckpoint> ParseCheckpoint(base::ByteSpan bytes) {
  LoadedCheckpoint checkpoint;
  if (bytes.size() < kCheckpointHeaderBytes ||
      base::LoadBigEndian<uint32_t>(&bytes[kHeaderCrcPosition]) !=
          base::Crc32c(bytes.first(kHeaderCrcPosition)) ||
      base::LoadBigEndian<uint32_t>(&bytes[0]) != kCheckpointMagic) {
    checkpoint.broken = "the header is cut off or its checksum is wrong";
    return checkpoint;
  }
  const auto version = std::to_integer<int>(bytes[4]);
  if (version != kCheckpointVersion && version != kVersionWithoutMark) {
    return MakeError(
        Reason::kUnsupportedVersion,
        base::StrCat("checkpoint: expected version ", kCheckpointVersion, ", found ", version));
  }
  const auto expected = base::LoadBigEndian<uint32_t>(&bytes[8]);
  bytes = bytes.subspan(kCheckpointHeaderBytes);
  if (version != kVersionWithoutMark) {
    const auto mark = DecodeMark(bytes);
    checkpoint.journal = mark.value_or(JournalMark());
    if (!mark) checkpoint.broken = "the mark of the journal is cut off or its checksum is wrong; ";
    bytes = bytes.subspan(std::min(kCheckpointMarkBytes, bytes.size()));
  }
  size_t broken = 0;
  for (; bytes.size() >= kCheckpointEntryBytes; bytes = bytes.subspan(kCheckpointEntryBytes)) {
    if (!AddEntry(bytes.first(kCheckpointEntryBytes), checkpoint.points)) ++broken;
  }
  if (broken > 0 || !bytes.empty() || checkpoint.points.size() != expected ||
      !checkpoint.broken.empty()) {
    checkpoint.broken += base::StrCat("expected ", expected, " entries, found ",
                                      checkpoint.points.size(), " whole ones, ", broken,
                                      " with a wrong checksum and ", bytes.size(), " bytes more");
  }
  return checkpoint;
}

}  // namespace talosmq::storage
