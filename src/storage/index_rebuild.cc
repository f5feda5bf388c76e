#include "storage/index_rebuild.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/segment.h"
#include "storage/segment_scanner.h"

#include <utility>

namespace talosmq::storage {
namespace {

void Append(std::optional<IndexEntry> entry, std::vector<IndexEntry>& entries) {
  if (entry) entries.push_back(*entry);
}

absl::StatusOr<RebuiltIndex> Scan(const IndexRebuild& rebuild, const io::File& file,
                                  const std::string& path) {
  TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  RebuiltIndex index;
  SegmentScanner scanner(
      file,
      {.base = rebuild.segment.base_offset, .end_offset = rebuild.end, .begin = 0, .end = size},
      BatchChain(rebuild.segment.base_offset, rebuild.history,
                 rebuild.generation == 0 ? Density::kDense : Density::kCompacted));
  RunBuilder runs(rebuild.segment, rebuild.segment.base_offset, 0, kNoTimestamp);
  // What stands behind the last batch is the preallocated rest of the file.
  while (scanner.chain().next() < rebuild.end) {
    TALOSMQ_ASSIGN_OR_RETURN(const ScanStep step, scanner.Next());
    if (step.batch) {
      Append(runs.Add(step.batch->bytes, step.batch->header), index.entries);
      continue;
    }
    const Mismatch at_end{.position = size,
                          .expected = base::StrCat("batches up to offset ", rebuild.end.value()),
                          .found = "the end of the file"};
    CorruptRange hidden{.first = scanner.chain().next(), .next = rebuild.end};
    bool goes_on = false;
    if (step.mismatch) {
      TALOSMQ_ASSIGN_OR_RETURN(goes_on, scanner.SkipDamage());
    }
    goes_on = goes_on && scanner.chain().next() < rebuild.end;
    if (goes_on) hidden.next = scanner.chain().next();
    index.damages.push_back(
        {.damage = DamageAt(path, 0, step.mismatch.value_or(at_end)), .hidden = hidden});
    Append(runs.Finish(), index.entries);
    if (!goes_on) break;
    runs = RunBuilder(rebuild.segment, scanner.chain().next(), scanner.position(),
                      runs.max_timestamp_ms());
  }
  Append(runs.Finish(), index.entries);
  return index;
}

}  // namespace

absl::StatusOr<RebuiltIndex> RebuildIndex(io::FileSystem& file_system,
                                          const IndexRebuild& rebuild) {
  const auto path = [&](std::string_view suffix) {
    const SegmentName name{
        .base = rebuild.segment.base_offset, .end = rebuild.end, .generation = rebuild.generation};
    return base::StrCat(rebuild.directory, "/", SegmentFileName(name, suffix));
  };
  TALOSMQ_ASSIGN_OR_RETURN(const auto file,
                           file_system.Open(path(kSegmentSuffix), io::OpenMode::kRead));
  TALOSMQ_ASSIGN_OR_RETURN(RebuiltIndex index, Scan(rebuild, *file, path(kSegmentSuffix)));
  std::string content(base::AsText(
      EncodeIndexHeader({.segment = rebuild.segment, .created_ms = rebuild.created_ms})));
  for (const IndexEntry& entry : index.entries) {
    content += base::AsText(EncodeIndexEntry(rebuild.segment, entry));
  }
  index.stored = io::WriteFileAtomically(file_system, path(kIndexSuffix), base::AsBytes(content));
  return index;
}

}  // namespace talosmq::storage
