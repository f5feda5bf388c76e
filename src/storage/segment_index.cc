#include "storage/segment_index.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "base/text.h"
#include "record/batch_format.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>

namespace talosmq::storage {
namespace {

constexpr size_t kHeaderCrcPosition = kIndexHeaderBytes - sizeof(uint32_t);
constexpr size_t kEntryCrcPosition = kIndexEntryBytes - sizeof(uint32_t);
/// A segment of the largest size in the smallest runs, with room to spare.
constexpr uint64_t kIndexFileBytesMax =
    kIndexHeaderBytes + (kSegmentBytesMax / kRunBytesMin + 1) * kIndexEntryBytes * 2;

uint32_t CrcOfLog(const TopicPartition& log) {
  std::array<std::byte, sizeof(int32_t)> partition;
  base::StoreBigEndian(partition.data(), log.partition.value());
  return base::Crc32c(partition, base::Crc32c(base::AsBytes(log.topic_id.bytes())));
}

uint32_t CrcOfEntry(const SegmentIdentity& segment, base::ByteSpan fields) {
  std::array<std::byte, sizeof(int64_t)> base_offset;
  base::StoreBigEndian(base_offset.data(), segment.base_offset.value());
  return base::Crc32c(fields, base::Crc32c(base_offset, CrcOfLog(segment.log)));
}

/// An entry must lie behind the one before it; what a hole leaves out is left out in both measures.
bool Follows(const IndexEntry& entry, Offset end_offset, uint64_t end_position) {
  const bool has_hole = entry.position > end_position;
  return entry.end_offset > entry.first_offset && entry.size > 0 &&
         entry.position >= end_position &&
         (has_hole ? entry.first_offset > end_offset : entry.first_offset == end_offset);
}

}  // namespace

std::array<std::byte, kIndexHeaderBytes> EncodeIndexHeader(const IndexHeader& header) {
  std::array<std::byte, kIndexHeaderBytes> bytes{};
  base::StoreBigEndian(bytes.data(), kIndexMagic);
  bytes[4] = std::byte{kIndexVersion};
  std::ranges::copy(base::AsBytes(header.segment.log.topic_id.bytes()), bytes.begin() + 8);
  base::StoreBigEndian(bytes.data() + 24, header.segment.log.partition.value());
  base::StoreBigEndian(bytes.data() + 28, header.segment.base_offset.value());
  base::StoreBigEndian(bytes.data() + 36, header.created_ms);
  base::StoreBigEndian(bytes.data() + kHeaderCrcPosition,
                       base::Crc32c(base::ByteSpan(bytes).first(kHeaderCrcPosition)));
  return bytes;
}

absl::StatusOr<IndexHeader> DecodeIndexHeader(base::ByteSpan bytes) {
  if (bytes.size() < kIndexHeaderBytes) {
    return MakeError(
        Reason::kCorruptData,
        base::StrCat("index header: expected ", kIndexHeaderBytes, " bytes, found ", bytes.size()));
  }
  const auto crc = base::Crc32c(bytes.first(kHeaderCrcPosition));
  if (base::LoadBigEndian<uint32_t>(bytes.data() + kHeaderCrcPosition) != crc ||
      base::LoadBigEndian<uint32_t>(bytes.data()) != kIndexMagic) {
    return MakeError(Reason::kCorruptData, "index header: magic or checksum is wrong");
  }
  const auto version = std::to_integer<int>(bytes[4]);
  if (version != kIndexVersion) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("index: expected version ", kIndexVersion, ", found ", version));
  }
  const auto topic_id = TopicId::FromBytes(base::AsText(bytes.subspan(8, 16)));
  TALOSMQ_CHECK(topic_id.has_value());
  return IndexHeader{
      .segment = {.log = {.topic_id = *topic_id,
                          .partition = PartitionId(base::LoadBigEndian<int32_t>(&bytes[24]))},
                  .base_offset = Offset(base::LoadBigEndian<int64_t>(&bytes[28]))},
      .created_ms = base::LoadBigEndian<int64_t>(&bytes[36])};
}

std::array<std::byte, kIndexEntryBytes> EncodeIndexEntry(const SegmentIdentity& segment,
                                                         const IndexEntry& entry) {
  std::array<std::byte, kIndexEntryBytes> bytes;
  base::StoreBigEndian(&bytes[0], static_cast<uint32_t>(entry.first_offset - segment.base_offset));
  base::StoreBigEndian(&bytes[4], static_cast<uint32_t>(entry.end_offset - segment.base_offset));
  base::StoreBigEndian(&bytes[8], entry.position);
  base::StoreBigEndian(&bytes[12], entry.size);
  base::StoreBigEndian(&bytes[16], entry.max_timestamp_ms);
  base::StoreBigEndian(&bytes[24], entry.check);
  base::StoreBigEndian(&bytes[kEntryCrcPosition],
                       CrcOfEntry(segment, base::ByteSpan(bytes).first(kEntryCrcPosition)));
  return bytes;
}

std::optional<IndexEntry> DecodeIndexEntry(const SegmentIdentity& segment, base::ByteSpan bytes) {
  if (bytes.size() < kIndexEntryBytes) return std::nullopt;
  if (base::LoadBigEndian<uint32_t>(&bytes[kEntryCrcPosition]) !=
      CrcOfEntry(segment, bytes.first(kEntryCrcPosition))) {
    return std::nullopt;
  }
  return IndexEntry{.first_offset = segment.base_offset + base::LoadBigEndian<uint32_t>(&bytes[0]),
                    .end_offset = segment.base_offset + base::LoadBigEndian<uint32_t>(&bytes[4]),
                    .position = base::LoadBigEndian<uint32_t>(&bytes[8]),
                    .size = base::LoadBigEndian<uint32_t>(&bytes[12]),
                    .max_timestamp_ms = base::LoadBigEndian<int64_t>(&bytes[16]),
                    .check = base::LoadBigEndian<uint32_t>(&bytes[24])};
}

RunCheck::RunCheck(const TopicPartition& log) : crc_(CrcOfLog(log)) {}

void RunCheck::Add(base::ByteSpan batch) {
  constexpr size_t kCheckedBytes = record::kCrcPosition + sizeof(uint32_t);
  static_assert(record::kUncoveredBytes == record::kCrcPosition,
                "the checked bytes are those outside of the CRC and, right behind, the CRC");
  crc_ = base::Crc32c(batch.first(kCheckedBytes), crc_);
}

RunBuilder::RunBuilder(const SegmentIdentity& segment, Offset offset, uint64_t position,
                       int64_t max_timestamp_ms)
    : segment_(segment),
      check_(segment.log),
      first_offset_(offset),
      end_offset_(offset),
      position_(position),
      max_timestamp_ms_(max_timestamp_ms) {}

std::optional<IndexEntry> RunBuilder::Add(base::ByteSpan batch, const record::BatchHeader& header) {
  check_.Add(batch);
  size_ += header.size();
  end_offset_ = header.end_offset();
  max_timestamp_ms_ = std::max(max_timestamp_ms_, header.max_timestamp_ms);
  if (size_ < kRunBytesMin) return std::nullopt;
  return Finish();
}

std::optional<IndexEntry> RunBuilder::Finish() {
  if (size_ == 0) return std::nullopt;
  const IndexEntry entry{.first_offset = first_offset_,
                         .end_offset = end_offset_,
                         .position = static_cast<uint32_t>(position_),
                         .size = static_cast<uint32_t>(size_),
                         .max_timestamp_ms = max_timestamp_ms_,
                         .check = check_.value()};
  *this = RunBuilder(segment_, end_offset_, position_ + size_, max_timestamp_ms_);
  return entry;
}

absl::StatusOr<LoadedIndex> ParseIndex(base::ByteSpan bytes, const SegmentIdentity& segment) {
  LoadedIndex index;
  index.header.segment = segment;
  auto header = DecodeIndexHeader(bytes);
  if (!header.ok()) {
    if (ReasonOf(header.status()) == Reason::kUnsupportedVersion) return header.status();
    index.broken = std::string(header.status().message());
    return index;
  }
  if (header->segment.log != segment.log || header->segment.base_offset != segment.base_offset) {
    index.broken = base::StrCat("the header names segment ", header->segment.log.ToString(), " at ",
                                header->segment.base_offset.value());
    return index;
  }
  index.header = *header;
  bytes = bytes.subspan(kIndexHeaderBytes);
  Offset end_offset = segment.base_offset;
  uint64_t end_position = 0;
  while (!bytes.empty()) {
    const auto entry = DecodeIndexEntry(segment, bytes);
    if (!entry || !Follows(*entry, end_offset, end_position)) {
      index.broken =
          base::StrCat("entry ", index.entries.size(), ": ",
                       entry ? "does not follow the one before it" : "its own checksum is wrong");
      return index;
    }
    end_offset = entry->end_offset;
    end_position = entry->end_position();
    index.entries.push_back(*entry);
    bytes = bytes.subspan(kIndexEntryBytes);
  }
  return index;
}

absl::StatusOr<LoadedIndex> LoadIndex(io::FileSystem& file_system, const std::string& path,
                                      const SegmentIdentity& segment) {
  const auto content = io::ReadFile(file_system, path, kIndexFileBytesMax);
  const Reason reason = ReasonOf(content.status());
  // Too large, or not to be read: either is as good as broken, since it can be made again.
  if (!content.ok() && (reason == Reason::kInvalidArgument || reason == Reason::kInternal)) {
    LoadedIndex broken;
    broken.header.segment = segment;
    broken.broken = std::string(content.status().message());
    if (!absl::IsNotFound(content.status())) broken.unreadable = content.status();
    return broken;
  }
  if (!content.ok()) return content.status();
  auto index = ParseIndex(base::AsBytes(*content), segment);
  if (!index.ok()) return base::Annotate(index.status(), path);
  return index;
}

std::span<const IndexEntry>::iterator FindRun(std::span<const IndexEntry> entries, Offset offset) {
  return std::partition_point(entries.begin(), entries.end(),
                              [&](const IndexEntry& entry) { return entry.end_offset <= offset; });
}

}  // namespace talosmq::storage
