#pragma once

#include "base/bytes.h"
#include "base/executor.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::sink {

struct SourceRead {
  std::vector<base::Buffer> chunks;  ///< Whole batches; the first may begin below the asked offset.
  Offset next_offset;                ///< One past the last record of the chunks.
  Offset high_watermark;
};

struct SourceTopic {
  TopicId id;
  std::string name;
  int32_t partitions = 0;
};

/// Where a dump job reads from, as any user would: committed records only.
/// Thread-safe; callbacks run exactly once, on any thread, and must not block.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  /// kUnknownTopic when there is none of that name, or when it is being deleted.
  virtual void FindTopic(std::string name, base::Callback<absl::StatusOr<SourceTopic>> done) = 0;
  /// Waits up to `wait` for a record at `offset`, then answers with nothing.
  virtual void Read(TopicPartition source, Offset offset, int64_t bytes_max, absl::Duration wait,
                    base::Callback<absl::StatusOr<SourceRead>> done) = 0;
  /// Where a new job begins.
  virtual void FindStart(TopicPartition source, base::Callback<absl::StatusOr<Offset>> done) = 0;
  /// The high watermark: what a job's lag is counted from.
  virtual void FindEnd(TopicPartition source, base::Callback<absl::StatusOr<Offset>> done) = 0;
};

}  // namespace talosmq::sink
