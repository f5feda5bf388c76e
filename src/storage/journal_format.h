#pragma once

#include "base/bytes.h"
#include "storage/partition_log.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::storage {

/// The files of the folder `journal` of a data directory; docs/formats/journal.md. Big-endian. A
/// group begins at a multiple of kJournalBlockBytes of its file:
///
///   header, 64 bytes                     section, 64 bytes: batches of one segment
///   position size field                  position size field
///          0    4 magic "TMQJ"                  0   16 topic id
///          4    1 version = 1                  16    4 partition
///          5    3 zero                         20    8 base offset of the segment
///          8    8 sequence                     28    8 position in the segment
///         16    8 sequence before, 0: none     36    8 first offset
///         24    8 oldest sequence that counts  44    8 end offset
///         32    4 sections                     52    4 bytes of its batches
///         36    4 epochs                       56    4 epochs that begin before them
///         40    8 bytes of all batches         60    4 check, as of a run in an index
///         48    8 distance               epoch, 12 bytes
///         56    4 CRC-32C of table              0    4 epoch
///         60    4 CRC-32C of identity           4    8 start offset
///                 and [0, 60)
///
/// then the table (all sections, then all epochs in the order of their sections), then the batches
/// of all sections in order, zeros up to the next block, and a copy of header and table, again with
/// zeros up to the next block. The distance is that of the copy from the header; 0 in the header.
///
/// Sequences go up by one; `sequence before` is that of the newest group before it that counts, so
/// a group that was given up is passed over by the next one. The identity is a secret of the data
/// directory: without it, nothing that a client sends can be made to look like a group.
inline constexpr uint32_t kJournalMagic = 0x544d514a;
inline constexpr uint8_t kJournalVersion = 1;
inline constexpr size_t kJournalHeaderBytes = 64;
inline constexpr size_t kJournalSectionBytes = 64;
inline constexpr size_t kJournalEpochBytes = 12;
inline constexpr size_t kJournalBlockBytes = 4096;
inline constexpr std::string_view kJournalFolder = "journal";
inline constexpr std::string_view kJournalSuffix = ".journal";
inline constexpr std::string_view kJournalIdentityFileName = "identity";
/// A file that a start has not finished; it says nothing.
inline constexpr std::string_view kJournalTemporaryFileName = "stranded.tmp";

/// The number in the name of a journal file, whose form is that of a segment's: 20 digits and the
/// suffix. Nothing for any other name.
std::optional<int64_t> JournalFileNumber(std::string_view path);

using JournalIdentity = std::array<std::byte, 16>;

/// The file `identity`: magic "TMQK", a version byte, three zeros, the identity and the CRC-32C of
/// all before it.
std::string EncodeJournalIdentity(const JournalIdentity& identity);
/// kCorruptData when a checksum or the size is wrong, kUnsupportedVersion for one of the future.
absl::StatusOr<JournalIdentity> DecodeJournalIdentity(base::ByteSpan bytes);

/// Batches of one segment within a group, and what the group says about them.
struct JournalSection {
  TopicPartition log;
  Offset segment;
  uint64_t position = 0;  ///< In the segment.
  Offset first_offset;
  Offset end_offset;
  uint32_t bytes = 0;
  uint32_t check = 0;
  std::vector<EpochEntry> epochs;  ///< That begin before its batches.

  uint64_t end_position() const { return position + bytes; }
};

/// A group without its batches. Invariant: before < sequence, oldest <= sequence.
struct JournalGroup {
  uint64_t sequence = 0;
  uint64_t before = 0;
  uint64_t oldest = 0;
  std::vector<JournalSection> sections;

  uint64_t batch_bytes() const;
};

/// Header and table, without the batches and the zeros behind them; the copy that stands `distance`
/// bytes behind the header, or the header itself for 0.
std::string EncodeJournalGroup(const JournalIdentity& identity, const JournalGroup& group,
                               uint64_t distance);

/// What a header says about the sizes of its group.
struct JournalGroupSize {
  uint64_t table_bytes = 0;
  uint64_t batch_bytes = 0;
  uint64_t distance = 0;  ///< Of this header from that of the group: more than 0 for the copy.

  uint64_t head_bytes() const { return kJournalHeaderBytes + table_bytes; }
  /// Up to the copy.
  uint64_t copy_distance() const;
  uint64_t total_bytes() const;
};

inline constexpr uint64_t kJournalGroupBytesMax = uint64_t{1} << 32;

/// Of the header at the start of `bytes`; nothing when there is none with a right checksum and of
/// at most kJournalGroupBytesMax. kUnsupportedVersion for a version of the future.
absl::StatusOr<std::optional<JournalGroupSize>> ReadJournalHeader(const JournalIdentity& identity,
                                                                  base::ByteSpan bytes);
/// The group whose header and table `head` holds, all of them and nothing more; the header was
/// accepted before. Nothing when the checksum of the table is wrong or the invariant of
/// JournalGroup does not hold.
std::optional<JournalGroup> DecodeJournalGroup(base::ByteSpan head);

}  // namespace talosmq::storage
