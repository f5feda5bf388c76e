#pragma once

#include "base/bytes.h"
#include "io/file_system.h"
#include "record/batch.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace talosmq::storage {

/// The index of a segment; docs/formats/index.md. Big-endian.
///
///   header, 64 bytes                              entry, 32 bytes
///   position size field                           position size field
///          0    4 magic "TMQI"                           0    4 first offset - base offset
///          4    1 version = 1                            4    4 end offset - base offset
///          5    3 zero                                   8    4 position of the run
///          8   16 topic id                              12    4 size of the run
///         24    4 partition                             16    8 max timestamp up to its end, ms
///         28    8 base offset of the segment            24    4 check of the run
///         36    8 when it was begun, ms                 28    4 CRC-32C of the log's identity,
///         44   16 zero                                            base offset and [0, 28)
///         60    4 CRC-32C of [0, 60)
///
/// A run is whole batches that together have kRunBytesMin bytes or more; only the last run of a
/// segment that is no longer written may be smaller. check = CRC-32C of topic id, partition, and
/// of each batch its first 17 bytes and its CRC field.
inline constexpr uint32_t kIndexMagic = 0x544d5149;
inline constexpr uint8_t kIndexVersion = 1;
inline constexpr size_t kIndexHeaderBytes = 64;
inline constexpr size_t kIndexEntryBytes = 32;
inline constexpr size_t kRunBytesMin = 4096;

/// Whose segment an index belongs to. Part of every checksum, so that a block of another index is
/// told from a right one.
struct SegmentIdentity {
  TopicPartition log;
  Offset base_offset;
};

struct IndexHeader {
  SegmentIdentity segment;
  int64_t created_ms = 0;  ///< When the segment was begun, by the clock of then.
};
inline constexpr int64_t kUnknownCreation = 0;

/// One run of whole batches: offsets [first_offset, end_offset), bytes [position, end_position).
struct IndexEntry {
  Offset first_offset;
  Offset end_offset;
  uint32_t position = 0;
  uint32_t size = 0;
  int64_t max_timestamp_ms = 0;  ///< Of all batches of the segment up to end_offset.
  uint32_t check = 0;

  uint64_t end_position() const { return uint64_t{position} + size; }
  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

std::array<std::byte, kIndexHeaderBytes> EncodeIndexHeader(const IndexHeader& header);
/// kCorruptData when the checksum is wrong, kUnsupportedVersion for a version of the future.
absl::StatusOr<IndexHeader> DecodeIndexHeader(base::ByteSpan bytes);
std::array<std::byte, kIndexEntryBytes> EncodeIndexEntry(const SegmentIdentity& segment,
                                                         const IndexEntry& entry);
/// Nothing when the entry's own checksum is wrong.
std::optional<IndexEntry> DecodeIndexEntry(const SegmentIdentity& segment, base::ByteSpan bytes);

/// The check of a run, batch by batch. A plain value.
class RunCheck {
 public:
  explicit RunCheck(const TopicPartition& log);
  /// `batch` holds at least the first 21 bytes of a batch, the only ones that are read.
  void Add(base::ByteSpan batch);
  uint32_t value() const { return crc_; }

 private:
  uint32_t crc_;
};

/// Cuts a segment into runs as its batches are appended. Thread-compatible.
class RunBuilder {
 public:
  /// Goes on at `position` of a segment whose batches up to `offset` are at most as young as
  /// `max_timestamp_ms`; kNoTimestamp for none.
  RunBuilder(const SegmentIdentity& segment, Offset offset, uint64_t position,
             int64_t max_timestamp_ms);

  /// The next batch; the finished run when it fills one.
  std::optional<IndexEntry> Add(base::ByteSpan batch, const record::BatchHeader& header);
  /// The run under way, however small; nothing when there is none. For the end of a segment.
  std::optional<IndexEntry> Finish();

  int64_t max_timestamp_ms() const { return max_timestamp_ms_; }

 private:
  SegmentIdentity segment_;
  RunCheck check_;
  Offset first_offset_;
  Offset end_offset_;
  uint64_t position_;
  uint64_t size_ = 0;
  int64_t max_timestamp_ms_;
};

inline constexpr int64_t kNoTimestamp = -1;

/// An index file as it was found.
struct LoadedIndex {
  IndexHeader header;  ///< Created at kUnknownCreation when it is not sound.
  /// Up to the first entry that is broken or does not follow its predecessor. A hole between two
  /// entries is a range that could not be read when the index was rebuilt.
  std::vector<IndexEntry> entries;
  /// What stands at the end of the entries above; empty when the file ends there.
  std::string broken;
  absl::Status unreadable = {};  ///< Not OK: the disk did not give it, which may pass.
};

/// Reads a whole index. kNotFound when there is none. A broken header, or a disk that does not give
/// the bytes, is no error: no entries and a reason in `broken`. kUnsupportedVersion for a version
/// of the future.
absl::StatusOr<LoadedIndex> LoadIndex(io::FileSystem& file_system, const std::string& path,
                                      const SegmentIdentity& segment);
/// The same from bytes.
absl::StatusOr<LoadedIndex> ParseIndex(base::ByteSpan bytes, const SegmentIdentity& segment);

/// The entry whose run holds `offset`, by binary search; the first one above it when the offset
/// lies in a hole; entries.end() when it lies behind all of them.
std::span<const IndexEntry>::iterator FindRun(std::span<const IndexEntry> entries, Offset offset);

}  // namespace talosmq::storage
