#pragma once

#include "io/file_system.h"
#include "storage/catalogue.h"
#include "storage/flush_target.h"
#include "storage/storage_metrics.h"

#include <list>
#include <memory>
#include <span>

namespace talosmq::storage {

/// Writes batches straight into their segments: for each file one gather write, then one sync.
///
/// Invariants:
/// 1. Before a log's first batch is reported durable, its folder, its names and its catalogue entry
///    are; before the first batch of an epoch is written, the epoch's entry is synced (on an
///    io::DeferredSync that is with the batch).
/// 2. At most kOpenFilesMax segments stay open from one group to the next; the one written longest
///    ago is closed.
/// 3. After a failure it touches no file of that log any more, but to take back what a full disk
///    has cut off.
/// Confined to one executor; a log's open file stays with the DirectFlush that has opened it until
/// Release().
class DirectFlush {
 public:
  static constexpr size_t kOpenFilesMax = 256;
  /// So many logs of a group are written and synced together; what they open comes on top.
  static constexpr size_t kLogsAtOnceMax = 128;

  /// What becomes of the bytes that a disk took of a write before it was full.
  enum class OnFullDisk {
    kTakeBack,  ///< Cut off: nothing is stored, and the client may be told so.
    kLeave,     ///< For what the journal has: what lies behind may be acknowledged.
  };

  DirectFlush(io::FileSystem& file_system, Catalogue& catalogue, StorageMetrics& metrics,
              OnFullDisk on_full_disk)
      : file_system_(file_system),
        catalogue_(catalogue),
        metrics_(metrics),
        on_full_disk_(on_full_disk) {}

  /// As FlushTarget::MakeDurable.
  void MakeDurable(std::span<LogWrite> group);
  /// Closes the file that is open for the log.
  void Release(LogFiles& files);

 private:
  void MakeFilesDurable(std::span<LogWrite> logs);
  absl::Status WriteLog(LogWrite& write);
  absl::Status WriteSegments(LogWrite& write);
  absl::Status WriteEpochs(LogWrite& write);
  absl::Status BeginSegment(LogFiles& files, Offset segment);
  absl::Status WriteSegment(LogFiles& files, const SegmentWrite& write, Allocation allocation);
  static absl::Status AllocateAhead(LogFiles& files, uint64_t end);
  absl::Status OpenSegment(const std::shared_ptr<LogFiles>& files, Offset segment);
  /// Cuts off what a disk that became full took of the first write; answers with the cause.
  absl::Status TakeBack(const LogWrite& write, absl::Status cause);
  void EnterCatalogue(std::span<LogWrite> group);

  io::FileSystem& file_system_;
  Catalogue& catalogue_;
  StorageMetrics& metrics_;
  const OnFullDisk on_full_disk_;
  std::list<std::shared_ptr<LogFiles>> open_;  ///< Most recently written at the front.
};

}  // namespace talosmq::storage
