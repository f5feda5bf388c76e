#pragma once

#include "talosmq/client.h"
#include "talosmq/consumer.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq {

struct FetchOnceOptions {
  /// Of records in the answer; one whole batch comes even if it is larger. 1 KiB to 20 MiB.
  int64_t bytes_max = int64_t{1} << 20;
  /// How long to wait for the first record. 0 to 1 min.
  absl::Duration wait = absl::ZeroDuration();
  OnCorrupt on_corrupt = OnCorrupt::kFail;
};

struct FetchedRecords {
  std::vector<RecordBatchView> batches;
  Offset next_offset;           ///< Where the next fetch goes on.
  Offset high_watermark;        ///< One past the last record that can be read now.
  int64_t skipped_records = 0;  ///< Left out under OnCorrupt::kSkip.
};

/// Reads one partition by single calls, each from an offset that the caller names: the blocking
/// form for one fetch. It holds no position and fetches nothing ahead; for a steady stream of
/// records a Consumer is several times as fast.
///
/// Reads the topic that had the name when it was made. Thread-safe. Lives inside its Client; what
/// it gave lives longer. After fork() see Client.
class PartitionReader {
 public:
  /// kUnknownTopic; kUnknownPartition.
  static absl::StatusOr<std::unique_ptr<PartitionReader>> Create(Client& client, std::string topic,
                                                                 PartitionId partition);
  virtual ~PartitionReader() = default;

  /// Records from `from` on; none when none came within options.wait. Asks again while that may
  /// help, up to request_timeout beyond the wait; then the server's reason. kOffsetOutOfRange: not
  /// from log start to the high watermark; kTopicDeleting, kUnknownTopicId: deleted; kCorruptData;
  /// kInvalidArgument names the option, its range and its value.
  virtual absl::StatusOr<FetchedRecords> FetchOnce(Offset from,
                                                   const FetchOnceOptions& options) = 0;
  /// See Consumer::FindOffset.
  virtual absl::StatusOr<Offset> FindOffset(Position position) = 0;
};

}  // namespace talosmq
