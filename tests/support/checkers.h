#pragma once

#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::support {

/// One record as a reader has got it.
struct ReadRecord {
  Offset offset;
  std::string value;
};

// The guarantees of docs/guarantees.md as objects that a test tells what has happened and asks
// whether it may have. A violation is a kInternal status that names partition and offset.
// Values must be unique within a partition. Thread-compatible.

/// G1: what was acknowledged is there, at its offset, whatever died in between.
class DurableChecker {
 public:
  void Acknowledged(const TopicPartition& partition, Offset offset, std::string value);
  /// What lies below may be gone from now on, since someone wants it gone.
  void Trimming(const TopicPartition& partition, Offset log_start);
  /// `log`: everything that the partition holds now.
  absl::Status Check(const TopicPartition& partition, const std::vector<ReadRecord>& log) const;
  size_t acknowledged() const;

 private:
  std::map<TopicPartition, std::map<Offset, std::string>> acknowledged_;
};

/// G2: what a reader has seen lay below the high watermark and never changes or goes.
class CommittedReadsChecker {
 public:
  /// One answer to one fetch.
  absl::Status Read(const TopicPartition& partition, const std::vector<ReadRecord>& records,
                    Offset high_watermark);
  absl::Status Check(const TopicPartition& partition, const std::vector<ReadRecord>& log) const;

 private:
  std::map<TopicPartition, std::map<Offset, std::string>> seen_;
};

/// G3 (and G4 of one producer): offsets are dense, and the values of one producer stand in the
/// order in which they were sent, none twice.
class OrderChecker {
 public:
  /// In the order of the calls. Values that failed may be missing from the log, others may not be
  /// in another order.
  void Sent(const TopicPartition& partition, std::string value);
  absl::Status Check(const TopicPartition& partition, Offset log_start,
                     const std::vector<ReadRecord>& log) const;

 private:
  std::map<TopicPartition, std::map<std::string, size_t>> places_;
};

/// What was refused as not stored, for lack of room, is nowhere to be found: its sender sends it
/// again.
class RefusedChecker {
 public:
  void Refused(const TopicPartition& partition, std::string value);
  absl::Status Check(const TopicPartition& partition, const std::vector<ReadRecord>& log) const;

 private:
  std::map<TopicPartition, std::set<std::string>> refused_;
};

/// G8: damage is told and never served. What was acknowledged is there as it was, or lies in a
/// range that is refused.
class DamageChecker {
 public:
  void Acknowledged(const TopicPartition& partition, Offset offset, std::string value);
  /// `log`: everything of the partition that can be read; `refused`: the ranges that cannot.
  absl::Status Check(const TopicPartition& partition, const std::vector<ReadRecord>& log,
                     const std::vector<CorruptRange>& refused) const;

 private:
  std::map<TopicPartition, std::map<Offset, std::string>> acknowledged_;
};

/// G10: nothing goes that nobody asked to delete, whatever of the metadata was there; what was
/// acknowledged about the life of a topic holds.
class DeletionChecker {
 public:
  /// The creation was acknowledged.
  void Created(std::string name, const TopicId& id);
  /// Something of this log is durable, of a topic or of none.
  void Stored(const TopicPartition& log);
  /// Somebody asks for it: the topic and its logs may go from now on.
  void Deleting(const TopicId& id);
  /// The deletion was acknowledged: they go in the end.
  void Deleted(const TopicId& id);

  struct Found {
    std::map<std::string, TopicId> topics;  ///< That can be seen.
    std::set<TopicPartition> folders;       ///< Of logs on the disk.
  };
  /// `found`: after a start that has had time to finish what was begun.
  absl::Status Check(const Found& found) const;

 private:
  std::map<TopicId, std::string> created_;
  std::set<TopicPartition> stored_;
  std::set<TopicId> deleting_;
  std::set<TopicId> deleted_;
};

}  // namespace talosmq::support
