#include "storage/compaction.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/key_offsets.h"
#include "storage/log_folder.h"
#include "storage/segment.h"

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"

#include <array>
#include <memory>
#include <string>
#include <utility>

namespace talosmq::storage {
namespace {

constexpr int64_t kReadBytes = int64_t{4} << 20;
/// What a client may send, and so every reader may be sent.
constexpr size_t kRewrittenBytesMax = size_t{20} << 20;

using OnBatch = absl::FunctionRef<absl::Status(base::ByteSpan, const record::BatchHeader&)>;

/// Gives the verified batches of [begin, end) in their order.
absl::Status ForEachBatch(LogReader& reader, const LogSource& source, Offset begin, Offset end,
                          OnBatch on_batch) {
  while (begin < end && !source.files->is_closing) {
    TALOSMQ_ASSIGN_OR_RETURN(
        const ReadResult read,
        reader.Read(source, {.offset = begin, .limit = end, .bytes_max = kReadBytes}));
    for (const base::Buffer& chunk : read.chunks) {
      for (base::ByteSpan rest = chunk.bytes(); !rest.empty();) {
        TALOSMQ_ASSIGN_OR_RETURN(const auto header, record::ParseHeader(rest));
        TALOSMQ_RETURN_IF_ERROR(on_batch(rest.first(header.size()), header));
        rest = rest.subspan(header.size());
      }
    }
    if (read.next_offset <= begin) {
      return MakeError(Reason::kInternal,
                       base::StrCat("log ", source.files->id.ToString(),
                                    ": nothing can be read at offset ", begin.value()));
    }
    begin = read.next_offset;
  }
  return absl::OkStatus();
}

/// A segment under a temporary name.
class SegmentFile {
 public:
  static absl::StatusOr<std::unique_ptr<SegmentFile>> Begin(io::FileSystem& file_system,
                                                            const LogFiles& files,
                                                            const SegmentName& name) {
    const std::string path =
        base::StrCat(files.directory, "/", SegmentFileName(name, kSegmentSuffix));
    TALOSMQ_ASSIGN_OR_RETURN(auto file,
                             file_system.Open(base::StrCat(path, ".tmp"), io::OpenMode::kTruncate));
    return std::unique_ptr<SegmentFile>(
        new SegmentFile(file_system, files, name, path, std::move(file)));
  }

  absl::Status Append(base::Buffer batch) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto header, record::ParseHeader(batch.bytes()));
    if (const auto run = runs_.Add(batch.bytes(), header)) entries_.push_back(*run);
    waiting_bytes_ += batch.size();
    waiting_.push_back(std::move(batch));
    return waiting_bytes_ < kWriteBytes ? absl::OkStatus() : Write();
  }

  /// Puts the segment in the place of those whose offsets it covers.
  absl::Status Commit(int64_t created_ms) {
    TALOSMQ_RETURN_IF_ERROR(Write());
    TALOSMQ_RETURN_IF_ERROR(file_->Sync());
    if (const auto run = runs_.Finish()) entries_.push_back(*run);
    std::string index(
        base::AsText(EncodeIndexHeader({.segment = identity_, .created_ms = created_ms})));
    for (const IndexEntry& entry : entries_) {
      index += base::AsText(EncodeIndexEntry(identity_, entry));
    }
    TALOSMQ_RETURN_IF_ERROR(io::WriteFileAtomically(
        file_system_, base::StrCat(directory_, "/", SegmentFileName(name_, kIndexSuffix)),
        base::AsBytes(index)));
    TALOSMQ_RETURN_IF_ERROR(file_system_.Rename(base::StrCat(path_, ".tmp"), path_));
    return file_system_.SyncDirectory(directory_);
  }

  /// What could not be committed, or need not be. What stays is removed by the next recovery.
  void Remove() {
    file_system_.Remove(base::StrCat(path_, ".tmp")).IgnoreError();
    RemoveSegment(file_system_, directory_, name_).IgnoreError();
  }

  uint64_t bytes() const { return position_ + waiting_bytes_; }

 private:
  static constexpr size_t kWriteBytes = size_t{1} << 20;

  SegmentFile(io::FileSystem& file_system, const LogFiles& files, const SegmentName& name,
              std::string path, std::unique_ptr<io::File> file)
      : file_system_(file_system),
        directory_(files.directory),
        name_(name),
        identity_{.log = files.id, .base_offset = name.base},
        path_(std::move(path)),
        file_(std::move(file)),
        runs_(identity_, name.base, 0, kNoTimestamp) {}

  absl::Status Write() {
    if (waiting_.empty()) return absl::OkStatus();
    std::vector<base::ByteSpan> pieces;
    pieces.reserve(waiting_.size());
    for (const base::Buffer& batch : waiting_) pieces.push_back(batch.bytes());
    TALOSMQ_RETURN_IF_ERROR(file_->Write(position_, pieces));
    position_ += std::exchange(waiting_bytes_, 0);
    waiting_.clear();
    return absl::OkStatus();
  }

  io::FileSystem& file_system_;
  const std::string directory_;
  const SegmentName name_;
  const SegmentIdentity identity_;
  const std::string path_;
  const std::unique_ptr<io::File> file_;
  RunBuilder runs_;
  std::vector<IndexEntry> entries_;
  uint64_t position_ = 0;
  std::vector<base::Buffer> waiting_;
  size_t waiting_bytes_ = 0;
};

/// Decides what is left of a batch. Confined to one Compaction::Run.
class BatchFilter {
 public:
  BatchFilter(const CompactionInput& input, KeyOffsets& keys)
      : keys_(keys),
        now_ms_(absl::ToUnixMillis(input.now)),
        horizon_ms_(absl::ToUnixMillis(input.now + input.tombstone_age_min)) {
    for (const ProducerState& producer : input.producers) {
      producers_.insert(producer.id);
      for (const ProducerBatch& batch : producer.batches()) {
        producer_batches_.insert(batch.last_offset);
      }
    }
  }

  /// Nothing when the whole batch goes. `end`: of the segment that it goes to.
  absl::StatusOr<std::optional<base::Buffer>> Apply(base::ByteSpan batch,
                                                    const record::BatchHeader& header, Offset end) {
    TALOSMQ_ASSIGN_OR_RETURN(auto kept, KeepRecords(batch, header, end));
    const bool is_forgotten = header.base_sequence >= 0 && !producers_.contains(header.producer_id);
    if (kept && is_forgotten) record::ClearProducer(kept->mutable_bytes());
    return kept;
  }

 private:
  absl::StatusOr<std::optional<base::Buffer>> KeepRecords(base::ByteSpan batch,
                                                          const record::BatchHeader& header,
                                                          Offset end) {
    auto reader = record::BatchReader::Open(batch, {});
    if (header.is_control() || !reader.ok()) return base::Buffer::CopyOf(batch);
    record::BatchRewriter rewriter(header);
    std::vector<record::RecordView> kept;
    bool has_tombstones = false;
    while (true) {
      const auto record = reader->Next();
      if (!record.ok()) return base::Buffer::CopyOf(batch);
      if (!record->has_value()) break;
      if (!IsKept(**record, header)) continue;
      has_tombstones = has_tombstones || IsTombstone(**record);
      kept.push_back(**record);
    }
    const bool needs_horizon = has_tombstones && !header.has_delete_horizon();
    const bool is_whole = static_cast<int32_t>(kept.size()) == header.count;
    if (kept.empty() && !IsNeededWithoutRecords(header, end)) return std::nullopt;
    if (is_whole && !needs_horizon) return base::Buffer::CopyOf(batch);
    if (needs_horizon) rewriter.SetDeleteHorizon(horizon_ms_);
    for (const record::RecordView& record : kept) rewriter.Append(record);
    TALOSMQ_ASSIGN_OR_RETURN(base::Buffer rewritten, rewriter.Finish());
    // The horizon makes the timestamps of records longer.
    if (needs_horizon && !CanBeRead(rewritten.bytes())) return base::Buffer::CopyOf(batch);
    return rewritten;
  }

  static bool CanBeRead(base::ByteSpan batch) {
    if (batch.size() > kRewrittenBytesMax) return false;
    auto reader = record::BatchReader::Open(batch, {});
    while (reader.ok()) {
      const auto record = reader->Next();
      if (!record.ok()) return false;
      if (!record->has_value()) return true;
    }
    return false;
  }

  static bool IsTombstone(const record::RecordView& record) { return record.key && !record.value; }

  bool IsKept(const record::RecordView& record, const record::BatchHeader& header) {
    if (!record.key) return true;
    const auto last = keys_.Find(*record.key);
    if (last && *last > record.offset) return false;
    return !IsTombstone(record) || !header.has_delete_horizon() ||
           now_ms_ < header.base_timestamp_ms;
  }

  bool IsNeededWithoutRecords(const record::BatchHeader& header, Offset end) const {
    return header.end_offset() == end || producer_batches_.contains(header.last_offset());
  }

  KeyOffsets& keys_;
  const int64_t now_ms_;
  const int64_t horizon_ms_;
  absl::flat_hash_set<ProducerId> producers_;
  absl::flat_hash_set<Offset> producer_batches_;  ///< Their last offsets.
};

/// How many segments from the first on have their keys in `keys`.
absl::StatusOr<size_t> TakeKeys(const CompactionInput& input, LogReader& reader, KeyOffsets& keys) {
  const SegmentList& segments = *input.source.segments;
  bool is_full = false;
  for (size_t i = input.dirty.first; i < input.dirty.end(); ++i) {
    TALOSMQ_RETURN_IF_ERROR(
        ForEachBatch(reader, input.source, segments.base(i), segments.base(i + 1),
                     [&](base::ByteSpan batch, const record::BatchHeader& header) -> absl::Status {
                       if (header.is_control()) return absl::OkStatus();
                       auto opened = record::BatchReader::Open(batch, {});
                       while (opened.ok() && !is_full) {
                         const auto record = opened->Next();
                         if (!record.ok() || !record->has_value()) break;
                         if ((*record)->key)
                           is_full = !keys.Add(*(*record)->key, (*record)->offset);
                       }
                       return absl::OkStatus();
                     }));
    if (is_full) return i;
  }
  return input.dirty.end();
}

}  // namespace

absl::Status Compaction::Run(const CompactionInput& input,
                             const std::function<void(const CompactedGroup&)>& on_group) {
  const absl::Status status = Rewrite(input, on_group);
  // Files that are open would keep their room.
  dependencies_.reader.Forget(input.source.files->id);
  return status;
}

absl::Status Compaction::Rewrite(const CompactionInput& input,
                                 const std::function<void(const CompactedGroup&)>& on_group) {
  const SegmentList& segments = *input.source.segments;
  const LogFiles& files = *input.source.files;
  KeyOffsets keys(dependencies_.random, dependencies_.keys_max);
  TALOSMQ_ASSIGN_OR_RETURN(const size_t end, TakeKeys(input, dependencies_.reader, keys));
  if (end == input.dirty.first && !files.is_closing) {
    return MakeError(Reason::kInvalidConfig,
                     base::StrCat("log ", files.id.ToString(), ": the segment at offset ",
                                  segments.base(end).value(), " has more than ",
                                  dependencies_.keys_max, " keys, too many to be compacted"));
  }
  BatchFilter filter(input, keys);
  uint32_t generation = input.generation;
  for (const SegmentRange& range : GroupForCompaction(segments.all(), end, input.segment_bytes)) {
    TALOSMQ_RETURN_IF_ERROR(dependencies_.reserve.CheckRoom());
    const SegmentName name{.base = segments.base(range.first),
                           .end = segments.base(range.end()),
                           .generation = generation++};
    TALOSMQ_ASSIGN_OR_RETURN(const auto file,
                             SegmentFile::Begin(dependencies_.file_system, files, name));
    absl::Status written =
        ForEachBatch(dependencies_.reader, input.source, name.base, name.end,
                     [&](base::ByteSpan batch, const record::BatchHeader& header) -> absl::Status {
                       TALOSMQ_ASSIGN_OR_RETURN(auto kept, filter.Apply(batch, header, name.end));
                       return kept ? file->Append(*std::move(kept)) : absl::OkStatus();
                     });
    const int64_t created_ms = segments.all()[range.first].created_ms;
    const bool is_given_up = files.is_closing || !written.ok();
    if (!is_given_up) written = file->Commit(created_ms);
    if (is_given_up || !written.ok()) {
      file->Remove();
      return written;
    }
    on_group({.range = range,
              .merged = {.base = name.base,
                         .end = name.end,
                         .created_ms = created_ms,
                         .bytes = static_cast<int64_t>(file->bytes()),
                         .generation = name.generation}});
  }
  return absl::OkStatus();
}

}  // namespace talosmq::storage
