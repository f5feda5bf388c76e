#include "storage/tail_scan.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/segment.h"
#include "storage/segment_scanner.h"

#include <algorithm>
#include <utility>

namespace talosmq::storage {
namespace {

/// Reads one segment after another; holds what the parts of the loop share. Confined to ScanTail.
class Scan {
 public:
  Scan(const TailScanInput& input, absl::FunctionRef<void(const record::BatchHeader&)> on_batch)
      : input_(input), on_batch_(on_batch) {
    result_.end_offset = input.plan.first_offset;
  }

  absl::StatusOr<TailScan> Run() {
    const auto& bases = input_.folder.segments;
    for (size_t i = input_.plan.first_segment; i < bases.size(); ++i) {
      TALOSMQ_RETURN_IF_ERROR(ReadSegment(i));
    }
    return std::move(result_);
  }

 private:
  std::optional<Offset> NextBase(size_t index) const {
    const auto& bases = input_.folder.segments;
    if (index + 1 == bases.size()) return std::nullopt;
    return bases[index + 1];
  }

  absl::Status ReadSegment(size_t index) {
    const Offset base = input_.folder.segments[index];
    const bool is_first = index == input_.plan.first_segment;
    const Offset offset = is_first ? input_.plan.first_offset : base;
    const uint64_t position = is_first ? input_.plan.first_position : 0;
    path_ = input_.folder.Path(base, kSegmentSuffix);
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, input_.file_system.Open(path_, io::OpenMode::kRead));
    TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    result_.segments.push_back(
        {.base = base, .file_bytes = size, .end_position = position, .entries = {}});
    result_.runs.emplace(SegmentIdentity{.log = input_.log, .base_offset = base}, offset, position,
                         is_first ? input_.max_timestamp_ms : kNoTimestamp);
    is_damaged_ = false;
    SegmentScanner scanner(
        *file, {.base = base, .end_offset = NextBase(index), .begin = position, .end = size},
        BatchChain(offset, input_.history, input_.folder.DensityOf(base)));
    TALOSMQ_ASSIGN_OR_RETURN(const bool goes_on, ReadBatches(scanner, NextBase(index)));
    result_.end_offset = scanner.chain().next();
    result_.segments.back().end_position = scanner.position();
    if (goes_on || is_damaged_) {
      Keep(result_.runs->Finish());
      result_.runs.reset();
    }
    return absl::OkStatus();
  }

  /// False when the log ends in this segment.
  absl::StatusOr<bool> ReadBatches(SegmentScanner& scanner, std::optional<Offset> next_base) {
    while (true) {
      TALOSMQ_ASSIGN_OR_RETURN(const ScanStep step, scanner.Next());
      if (step.batch) {
        Keep(result_.runs->Add(step.batch->bytes, step.batch->header));
        on_batch_(step.batch->header);
        continue;
      }
      TALOSMQ_ASSIGN_OR_RETURN(const Continuation next, Stop(step.mismatch, next_base, scanner));
      if (next != Continuation::kInSegment) return next == Continuation::kInNextSegment;
    }
  }

  enum class Continuation { kInSegment, kInNextSegment, kNowhere };

  /// No fitting batch stands at the scanner's position: notes why, and says where to go on.
  absl::StatusOr<Continuation> Stop(const std::optional<Mismatch>& mismatch,
                                    std::optional<Offset> next_base, SegmentScanner& scanner) {
    const Offset offset = scanner.chain().next();
    const ScannedSegment& segment = result_.segments.back();
    const Mismatch at_end{.position = scanner.position(),
                          .expected = base::StrCat("a batch with base offset ", offset.value()),
                          .found = "the end of the file"};
    const Damage damage = DamageAt(path_, 0, mismatch.value_or(at_end));
    const ScanStop stop{.segment = segment.base,
                        .next_segment = next_base,
                        .offset = offset,
                        .position = scanner.position(),
                        .is_file_end = !mismatch,
                        .is_unreadable = mismatch && mismatch->is_unreadable};
    const StopKind kind = JudgeStop(input_.plan, stop);
    switch (kind) {
      case StopKind::kSegmentEnd:
        return Continuation::kInNextSegment;
      case StopKind::kLogEnd:
        return Continuation::kNowhere;
      case StopKind::kUnclear: {
        TALOSMQ_ASSIGN_OR_RETURN(const bool is_torn, IsTorn(scanner));
        if (!is_torn) break;
        TALOSMQ_ASSIGN_OR_RETURN(const bool is_zero, scanner.IsZeroFromHere());
        if (!is_zero) result_.tear = damage;
        return Continuation::kNowhere;
      }
      case StopKind::kCorruption:
        break;
    }
    TALOSMQ_ASSIGN_OR_RETURN(const bool goes_on, PassDamage(damage, stop, scanner));
    if (goes_on) return Continuation::kInSegment;
    return Continuation::kInNextSegment;
  }

  /// False when a whole batch ends so far behind the broken one that they cannot have been written
  /// without a sync between them, so the broken one was durable.
  absl::StatusOr<bool> IsTorn(SegmentScanner scanner) const {
    const uint64_t unsynced_bytes =
        input_.plan.is_careful ? 0 : static_cast<uint64_t>(input_.unsynced_bytes_max);
    const uint64_t group_end = scanner.position() + unsynced_bytes;
    while (group_end < result_.segments.back().file_bytes) {
      TALOSMQ_ASSIGN_OR_RETURN(const bool goes_on, scanner.SkipDamage());
      if (!goes_on) return true;
      while (true) {
        TALOSMQ_ASSIGN_OR_RETURN(const ScanStep step, scanner.Next());
        if (!step.batch) break;
        if (scanner.position() > group_end) return false;
      }
    }
    return true;
  }

  /// Moves the scanner behind the damage; false when nothing of this segment can be read there.
  absl::StatusOr<bool> PassDamage(const Damage& damage, const ScanStop& stop,
                                  SegmentScanner& scanner) {
    const FlushedPoint& flushed = input_.plan.flushed;
    const Offset first = scanner.chain().next();
    std::optional<SegmentPlace> known;
    if (result_.segments.back().base == flushed.segment && scanner.position() < flushed.position) {
      known = SegmentPlace{.position = flushed.position, .offset = flushed.end_offset};
    }
    TALOSMQ_ASSIGN_OR_RETURN(const bool goes_on, scanner.SkipDamage(known));
    if (!goes_on) {
      // Nothing of the rest can be read, and nothing of it may be cut.
      TALOSMQ_ASSIGN_OR_RETURN(const Offset end, EndOfDamage(stop, scanner));
      scanner.MoveTo({.position = result_.segments.back().file_bytes, .offset = end});
    }
    result_.corruptions.push_back(
        {.damage = damage, .hidden = {.first = first, .next = scanner.chain().next()}});
    is_damaged_ = true;
    Keep(result_.runs->Finish());
    result_.runs.emplace(
        SegmentIdentity{.log = input_.log, .base_offset = result_.segments.back().base},
        scanner.chain().next(), scanner.position(), result_.runs->max_timestamp_ms());
    return goes_on;
  }

  /// Up to where damage hides that nothing readable follows.
  absl::StatusOr<Offset> EndOfDamage(const ScanStop& stop, SegmentScanner& scanner) {
    if (stop.next_segment) return *stop.next_segment;
    const Offset flushed = std::max(stop.offset, input_.plan.flushed.end_offset);
    if (!stop.is_unreadable) return flushed;
    // One offset at least, so that it is told, and that the log goes on in a new segment.
    TALOSMQ_ASSIGN_OR_RETURN(const auto end, scanner.EndOfBroken());
    return std::max(flushed, end ? end->offset : stop.offset + 1);
  }

  void Keep(std::optional<IndexEntry> entry) {
    if (entry) result_.segments.back().entries.push_back(*entry);
  }

  const TailScanInput& input_;
  absl::FunctionRef<void(const record::BatchHeader&)> on_batch_;
  TailScan result_;
  std::string path_;
  bool is_damaged_ = false;  ///< The segment that is read.
};

}  // namespace

absl::StatusOr<TailScan> ScanTail(const TailScanInput& input,
                                  absl::FunctionRef<void(const record::BatchHeader&)> on_batch) {
  return Scan(input, on_batch).Run();
}

}  // namespace talosmq::storage
