#pragma once

#include "support/checkers.h"
#include "support/storage_world.h"
#include "talosmq/ids.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace talosmq::storage {

/// Where batches go first.
enum class WayToDisk {
  kSegments,
  kJournal,
  kAwaited,  ///< Under load: of each log the first batch to the journal, then none.
};
std::string NameOf(WayToDisk way);

/// Produces to two logs through rolls, checkpoints, a restart, retention and a log that is closed,
/// and writes down what was acknowledged. Goes on after errors as a server would.
class Scenario {
 public:
  static const TopicPartition kOther;  ///< The other log is StorageWorld::kLog.

  explicit Scenario(WayToDisk way);

  void Run();
  /// After the disk works again: the guarantees hold, and all goes on.
  void Verify();
  /// A new process on a disk that is still full: what opens has all that was acknowledged, and what
  /// does not says why.
  void VerifyOnFullDisk();
  /// There is room again: that process, if it could start, goes on by itself. Ends it.
  void GoOn();

  support::StorageWorld& world() { return world_; }
  size_t produced() const { return static_cast<size_t>(values_); }
  size_t acknowledged() const { return acknowledged_count_; }

 private:
  void Produce(const TopicPartition& id, size_t value_bytes, int batches = 1);
  void Trim(const TopicPartition& id, Offset log_start);
  void Retain(const TopicPartition& id);
  /// What an open log holds.
  void Check(const TopicPartition& id);

  support::StorageWorld world_;
  support::DurableChecker durable_;
  std::map<TopicPartition, std::map<Offset, std::string>> acknowledged_;
  std::map<TopicPartition, Offset> log_starts_;  ///< That were acknowledged.
  support::OrderChecker order_;
  support::RefusedChecker refused_;
  size_t acknowledged_count_ = 0;
  int batches_min_ = 1;  ///< Of each Produce.
  int64_t values_ = 0;
  bool is_started_ = false;  ///< By VerifyOnFullDisk.
};

/// Writes keys over and over into a compacted log, compacts it twice, and goes on; what is
/// acknowledged last of each key has to be there (R09).
class CompactionScenario {
 public:
  explicit CompactionScenario(WayToDisk way);

  void Run();
  void Verify();            ///< As Scenario::Verify.
  void VerifyOnFullDisk();  ///< As Scenario::VerifyOnFullDisk.
  void GoOn();              ///< As Scenario::GoOn.

  support::StorageWorld& world() { return world_; }
  size_t keys() const { return acknowledged_.size(); }

 private:
  void Put(const std::string& key);
  void Check();

  support::StorageWorld world_;
  std::map<Offset, std::string> appended_;  ///< What was given an offset last.
  std::map<Offset, std::string> keys_;
  std::map<std::string, Offset> acknowledged_;  ///< The last offset of each key.
  int64_t values_ = 0;
  bool is_started_ = false;  ///< By VerifyOnFullDisk.
};

}  // namespace talosmq::storage
