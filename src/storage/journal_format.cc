#include "storage/journal_format.h"

#include "base/crc32c.h"
#include "base/text.h"
#include "storage/segment.h"
#include "talosmq/error.h"

#include <algorithm>

namespace talosmq::storage {
namespace {

constexpr uint32_t kIdentityMagic = 0x544d514b;
constexpr size_t kIdentityPosition = 8;
constexpr size_t kIdentityCrcPosition = kIdentityPosition + sizeof(JournalIdentity);
constexpr size_t kIdentityFileBytes = kIdentityCrcPosition + sizeof(uint32_t);
constexpr size_t kTableCrcPosition = 56;
constexpr size_t kHeaderCrcPosition = 60;

uint32_t HeaderCrc(const JournalIdentity& identity, base::ByteSpan header) {
  return base::Crc32c(header.first(kHeaderCrcPosition), base::Crc32c(identity));
}

uint64_t WholeBlocks(uint64_t bytes) {
  return (bytes + kJournalBlockBytes - 1) / kJournalBlockBytes * kJournalBlockBytes;
}

void EncodeSection(const JournalSection& section, std::byte* to) {
  std::ranges::copy(base::AsBytes(section.log.topic_id.bytes()), to);
  base::StoreBigEndian(to + 16, section.log.partition.value());
  base::StoreBigEndian(to + 20, section.segment.value());
  base::StoreBigEndian(to + 28, section.position);
  base::StoreBigEndian(to + 36, section.first_offset.value());
  base::StoreBigEndian(to + 44, section.end_offset.value());
  base::StoreBigEndian(to + 52, section.bytes);
  base::StoreBigEndian(to + 56, static_cast<uint32_t>(section.epochs.size()));
  base::StoreBigEndian(to + 60, section.check);
}

/// Without its epochs, whose number is returned.
uint32_t DecodeSection(base::ByteSpan from, JournalSection& section) {
  section.log = {.topic_id = *TopicId::FromBytes(base::AsText(from.first(16))),
                 .partition = PartitionId(base::LoadBigEndian<int32_t>(&from[16]))};
  section.segment = Offset(base::LoadBigEndian<int64_t>(&from[20]));
  section.position = base::LoadBigEndian<uint64_t>(&from[28]);
  section.first_offset = Offset(base::LoadBigEndian<int64_t>(&from[36]));
  section.end_offset = Offset(base::LoadBigEndian<int64_t>(&from[44]));
  section.bytes = base::LoadBigEndian<uint32_t>(&from[52]);
  section.check = base::LoadBigEndian<uint32_t>(&from[60]);
  return base::LoadBigEndian<uint32_t>(&from[56]);
}

}  // namespace

std::optional<int64_t> JournalFileNumber(std::string_view path) {
  const size_t slash = path.rfind('/');
  const auto number = ParseOffsetFileName(
      slash == std::string_view::npos ? path : path.substr(slash + 1), kJournalSuffix);
  if (!number) return std::nullopt;
  return number->value();
}

std::string EncodeJournalIdentity(const JournalIdentity& identity) {
  std::array<std::byte, kIdentityFileBytes> bytes{};
  base::StoreBigEndian(bytes.data(), kIdentityMagic);
  bytes[4] = std::byte{kJournalVersion};
  std::ranges::copy(identity, bytes.begin() + kIdentityPosition);
  base::StoreBigEndian(&bytes[kIdentityCrcPosition],
                       base::Crc32c(base::ByteSpan(bytes).first(kIdentityCrcPosition)));
  return std::string(base::AsText(bytes));
}

absl::StatusOr<JournalIdentity> DecodeJournalIdentity(base::ByteSpan bytes) {
  if (bytes.size() != kIdentityFileBytes ||
      base::LoadBigEndian<uint32_t>(bytes.data()) != kIdentityMagic ||
      base::LoadBigEndian<uint32_t>(&bytes[kIdentityCrcPosition]) !=
          base::Crc32c(bytes.first(kIdentityCrcPosition))) {
    return MakeError(
        Reason::kCorruptData,
        base::StrCat("expected ", kIdentityFileBytes, " bytes with a right checksum, found ",
                     bytes.size(), " whose size, magic or checksum is wrong"));
  }
  if (const auto version = std::to_integer<int>(bytes[4]); version != kJournalVersion) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("expected version ", kJournalVersion, ", found ", version));
  }
  JournalIdentity identity;
  std::ranges::copy(bytes.subspan(kIdentityPosition, identity.size()), identity.begin());
  return identity;
}

uint64_t JournalGroup::batch_bytes() const {
  uint64_t bytes = 0;
  for (const JournalSection& section : sections) bytes += section.bytes;
  return bytes;
}

uint64_t JournalGroupSize::copy_distance() const { return WholeBlocks(head_bytes() + batch_bytes); }

uint64_t JournalGroupSize::total_bytes() const {
  return copy_distance() + WholeBlocks(head_bytes());
}

std::string EncodeJournalGroup(const JournalIdentity& identity, const JournalGroup& group,
                               uint64_t distance) {
  size_t epochs = 0;
  for (const JournalSection& section : group.sections) epochs += section.epochs.size();
  std::vector<std::byte> head(kJournalHeaderBytes + group.sections.size() * kJournalSectionBytes +
                              epochs * kJournalEpochBytes);
  std::byte* section_at = head.data() + kJournalHeaderBytes;
  std::byte* epoch_at = section_at + group.sections.size() * kJournalSectionBytes;
  for (const JournalSection& section : group.sections) {
    EncodeSection(section, section_at);
    section_at += kJournalSectionBytes;
    for (const EpochEntry& entry : section.epochs) {
      base::StoreBigEndian(epoch_at, entry.epoch.value());
      base::StoreBigEndian(epoch_at + 4, entry.start_offset.value());
      epoch_at += kJournalEpochBytes;
    }
  }
  std::byte* const header = head.data();
  base::StoreBigEndian(header, kJournalMagic);
  header[4] = std::byte{kJournalVersion};
  base::StoreBigEndian(header + 8, group.sequence);
  base::StoreBigEndian(header + 16, group.before);
  base::StoreBigEndian(header + 24, group.oldest);
  base::StoreBigEndian(header + 32, static_cast<uint32_t>(group.sections.size()));
  base::StoreBigEndian(header + 36, static_cast<uint32_t>(epochs));
  base::StoreBigEndian(header + 40, group.batch_bytes());
  base::StoreBigEndian(header + 48, distance);
  base::StoreBigEndian(header + kTableCrcPosition,
                       base::Crc32c(base::ByteSpan(head).subspan(kJournalHeaderBytes)));
  base::StoreBigEndian(header + kHeaderCrcPosition, HeaderCrc(identity, head));
  return std::string(base::AsText(head));
}

absl::StatusOr<std::optional<JournalGroupSize>> ReadJournalHeader(const JournalIdentity& identity,
                                                                  base::ByteSpan bytes) {
  if (bytes.size() < kJournalHeaderBytes ||
      base::LoadBigEndian<uint32_t>(bytes.data()) != kJournalMagic ||
      base::LoadBigEndian<uint32_t>(&bytes[kHeaderCrcPosition]) != HeaderCrc(identity, bytes)) {
    return std::nullopt;
  }
  if (const auto version = std::to_integer<int>(bytes[4]); version != kJournalVersion) {
    return MakeError(
        Reason::kUnsupportedVersion,
        base::StrCat("journal group: expected version ", kJournalVersion, ", found ", version));
  }
  const JournalGroupSize size{
      .table_bytes = uint64_t{base::LoadBigEndian<uint32_t>(&bytes[32])} * kJournalSectionBytes +
                     uint64_t{base::LoadBigEndian<uint32_t>(&bytes[36])} * kJournalEpochBytes,
      .batch_bytes = base::LoadBigEndian<uint64_t>(&bytes[40]),
      .distance = base::LoadBigEndian<uint64_t>(&bytes[48])};
  const bool is_sane =
      size.batch_bytes <= kJournalGroupBytesMax && size.table_bytes <= kJournalGroupBytesMax;
  return is_sane ? std::optional(size) : std::nullopt;
}

std::optional<JournalGroup> DecodeJournalGroup(base::ByteSpan head) {
  const base::ByteSpan table = head.subspan(kJournalHeaderBytes);
  if (base::LoadBigEndian<uint32_t>(&head[kTableCrcPosition]) != base::Crc32c(table)) {
    return std::nullopt;
  }
  JournalGroup group{.sequence = base::LoadBigEndian<uint64_t>(&head[8]),
                     .before = base::LoadBigEndian<uint64_t>(&head[16]),
                     .oldest = base::LoadBigEndian<uint64_t>(&head[24]),
                     .sections = {}};
  // Else the walk from group to group would not end.
  if (group.before >= group.sequence || group.oldest > group.sequence) return std::nullopt;
  group.sections.resize(base::LoadBigEndian<uint32_t>(&head[32]));
  base::ByteSpan sections = table.first(group.sections.size() * kJournalSectionBytes);
  base::ByteSpan epochs = table.subspan(sections.size());
  for (JournalSection& section : group.sections) {
    uint32_t count = DecodeSection(sections.first(kJournalSectionBytes), section);
    sections = sections.subspan(kJournalSectionBytes);
    for (; count > 0 && epochs.size() >= kJournalEpochBytes; --count) {
      section.epochs.push_back({.epoch = LeaderEpoch(base::LoadBigEndian<int32_t>(&epochs[0])),
                                .start_offset = Offset(base::LoadBigEndian<int64_t>(&epochs[4]))});
      epochs = epochs.subspan(kJournalEpochBytes);
    }
  }
  return group;
}

}  // namespace talosmq::storage
