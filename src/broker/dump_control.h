#pragma once

#include "base/executor.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace talosmq::broker {

enum class DumpState { kRunning, kPaused, kFailed };
enum class DumpFormat { kJson, kRaw };

struct DumpDefinition {
  std::string name;  ///< As a topic name: 1-249 of letters, digits, '.', '_', '-'.
  std::string topic;
  std::string target;  ///< URL, "file:///DIR".
  DumpFormat format = DumpFormat::kJson;
  std::map<std::string, std::string> configs;  ///< "roll.bytes", "roll.records", "roll.ms".
};

struct DumpPartition {
  PartitionId partition;
  Offset next_offset;  ///< First offset not yet in a published file.
  Offset high_watermark;
  int64_t lag_records = 0;
};

struct DumpDescription {
  DumpDefinition definition;
  TopicId topic_id;
  DumpState state = DumpState::kRunning;
  std::string error;  ///< Why it is kFailed.
  std::vector<DumpPartition> partitions;
  int64_t files_published = 0;
  int64_t records_published = 0;
  int64_t bytes_published = 0;
  int64_t offsets_skipped = 0;  ///< That could not be read, under on_corrupt=skip.
};

/// What the fronts may ask of the dump jobs; the composition root binds it to src/sink.
/// Thread-safe; callbacks as in MessageService. Errors: kUnknownDumpJob, kDumpJobExists,
/// kInvalidDumpJob, kUnknownTopic. A change that has not begun by its `deadline` (by the monotonic
/// clock) is answered with kDeadlineExceeded and never begins.
class DumpControl {
 public:
  virtual ~DumpControl() = default;
  virtual void Create(DumpDefinition definition, absl::Duration deadline,
                      base::Callback<absl::Status> done) = 0;
  virtual void List(base::Callback<absl::StatusOr<std::vector<DumpDescription>>> done) = 0;
  virtual void Describe(std::string name, base::Callback<absl::StatusOr<DumpDescription>> done) = 0;
  /// Publishes what is open, then stops; answers when that is done.
  virtual void Pause(std::string name, absl::Duration deadline,
                     base::Callback<absl::Status> done) = 0;
  virtual void Resume(std::string name, absl::Duration deadline,
                      base::Callback<absl::Status> done) = 0;
  /// Forgets the job and its positions; published files stay, open ones are removed.
  virtual void Delete(std::string name, absl::Duration deadline,
                      base::Callback<absl::Status> done) = 0;
};

}  // namespace talosmq::broker
