#include "storage/epoch_recovery.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/segment.h"
#include "storage/segment_scanner.h"

#include <algorithm>
#include <iterator>

namespace talosmq::storage {
namespace {

constexpr uint64_t kEpochFileBytesMax = uint64_t{64} << 20;

/// Epochs as the batches on disk have them. Reads everything.
absl::StatusOr<std::vector<EpochEntry>> CollectEpochs(io::FileSystem& file_system,
                                                      const LogFolder& folder, Offset log_end) {
  std::vector<EpochEntry> history;
  for (size_t i = 0; i < folder.segments.size(); ++i) {
    const Offset segment = folder.segments[i];
    if (segment >= log_end) break;
    const bool is_last = i + 1 == folder.segments.size();
    const Offset end_offset = is_last ? log_end : folder.segments[i + 1];
    TALOSMQ_ASSIGN_OR_RETURN(const auto file, file_system.Open(folder.Path(segment, kSegmentSuffix),
                                                               io::OpenMode::kRead));
    TALOSMQ_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    SegmentScanner scanner(*file,
                           {.base = segment, .end_offset = end_offset, .begin = 0, .end = size},
                           BatchChain(segment, {}, folder.DensityOf(segment)));
    while (true) {
      TALOSMQ_ASSIGN_OR_RETURN(const ScanStep step, scanner.Next());
      if (step.batch) {
        const auto& header = step.batch->header;
        if (history.empty() || header.epoch > history.back().epoch) {
          history.push_back({.epoch = header.epoch, .start_offset = header.base_offset});
        }
        continue;
      }
      if (!step.mismatch) break;
      TALOSMQ_ASSIGN_OR_RETURN(const bool goes_on, scanner.SkipDamage());
      if (!goes_on) break;
    }
  }
  return history;
}

/// One entry was being written when the power went: what is left are its first bytes, or zeros.
bool IsTorn(const LoadedEpochs& loaded, size_t file_bytes) {
  const size_t sound = kEpochsHeaderBytes + loaded.entries.size() * kEpochEntryBytes;
  return !loaded.entries.empty() && file_bytes <= sound + kEpochEntryBytes;
}

}  // namespace

absl::StatusOr<RecoveredEpochs> LoadEpochs(io::FileSystem& file_system, const TopicPartition& log,
                                           const LogFolder& folder) {
  RecoveredEpochs epochs;
  if (!folder.has_epochs) {
    if (!folder.segments.empty()) epochs.broken = "it is missing";
    return epochs;
  }
  const auto content = io::ReadFile(file_system, folder.EpochPath(), kEpochFileBytesMax);
  if (!content.ok()) {
    // Not as when it is broken: an error may pass, and epochs without batches are nowhere else.
    return base::Annotate(
        content.status(),
        base::StrCat("log ", log.ToString(), " stays closed, since its epoch file cannot be read"));
  }
  TALOSMQ_ASSIGN_OR_RETURN(LoadedEpochs loaded, ParseEpochs(base::AsBytes(*content), log));
  epochs.broken = std::move(loaded.broken);
  // An epoch is recorded before the first segment is begun.
  if (epochs.broken.empty() && loaded.entries.empty() && !folder.segments.empty()) {
    epochs.broken = "it has no epoch";
  }
  epochs.is_torn = !epochs.broken.empty() && IsTorn(loaded, content->size());
  epochs.history = std::move(loaded.entries);
  return epochs;
}

absl::StatusOr<std::optional<std::string>> MendEpochs(io::FileSystem& file_system,
                                                      const TopicPartition& log,
                                                      const LogFolder& folder, Offset log_end,
                                                      RecoveredEpochs& epochs) {
  std::optional<std::string> note;
  const bool is_broken = !epochs.broken.empty();
  const bool lacks_epochs =
      epochs.history.empty() || epochs.last_seen > epochs.history.back().epoch;
  if (is_broken && (lacks_epochs || !epochs.is_torn)) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto collected, CollectEpochs(file_system, folder, log_end));
    std::ranges::copy_if(collected, std::back_inserter(epochs.history),
                         [last = epochs.history.empty() ? kNoEpoch : epochs.history.back().epoch](
                             const EpochEntry& entry) { return entry.epoch > last; });
    note = base::StrCat(folder.EpochPath(), ": made again from the batches, since ", epochs.broken);
  }
  const bool is_cut = CutEpochs(epochs.history, log_end);
  if (!is_broken && !is_cut) return note;
  TALOSMQ_RETURN_IF_ERROR(WriteEpochs(file_system, log, folder, epochs.history));
  epochs.broken.clear();
  return note;
}

absl::Status WriteEpochs(io::FileSystem& file_system, const TopicPartition& log,
                         const LogFolder& folder, std::span<const EpochEntry> history) {
  const std::string content = EncodeEpochs(log, history);
  return io::WriteFileAtomically(file_system, folder.EpochPath(), base::AsBytes(content));
}

}  // namespace talosmq::storage
