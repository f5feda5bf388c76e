#pragma once

#include "record/batch.h"
#include "sink/job_definition.h"
#include "talosmq/ids.h"

#include <memory>
#include <string>
#include <string_view>

namespace talosmq::sink {

/// A record together with what its batch and its log know of it.
struct SourceRecord {
  std::string_view topic;
  PartitionId partition;
  record::TimestampType timestamp_type = record::TimestampType::kCreateTime;
  const record::RecordView& record;
};

/// How records become the bytes of a file. The same record always gives the same bytes, which
/// depend on nothing else. Immutable.
class Format {
 public:
  virtual ~Format() = default;
  /// What file names end in, without the dot.
  virtual std::string_view extension() const = 0;
  virtual void Append(const SourceRecord& record, std::string& out) const = 0;
};

std::unique_ptr<Format> MakeFormat(FormatKind kind);

}  // namespace talosmq::sink
