#pragma once

#include "group/group_records.h"
#include "kv/store.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <optional>
#include <string>
#include <vector>

namespace talosmq::group {

/// How much of its log a view holds.
struct ViewPoint {
  Offset next;        ///< Everything below it.
  LeaderEpoch epoch;  ///< Of the batch that ends there.
  friend bool operator==(const ViewPoint&, const ViewPoint&) = default;
};

/// A view as it was found.
struct LoadedView {
  ViewPoint point;
  std::vector<Change> changes;  ///< In no particular order of meaning.
};

/// The newest change of each key in one partition of __consumer_offsets, so that a coordinator need
/// not read the whole log when it starts. A copy of committed records and no truth: lost, or of a
/// log that has become another one, it is made anew.
///
/// Records and point are written together and unsynced: after a power cut it is an older view.
/// Blocks on the disk; confined to whoever holds it. docs/formats/group-records.md has its keys.
class OffsetView {
 public:
  /// The store outlives the view.
  OffsetView(kv::Store& store, const TopicPartition& log);

  /// Nothing: there is no view. kCorruptData, kUnsupportedVersion: what there is cannot be read.
  absl::StatusOr<std::optional<LoadedView>> Load();
  /// `point` is where the log stands after `changes`, which follow those before. Once this, or
  /// Drop(), has failed, every later call does too until Load() or Drop() succeeds: the view would
  /// have a hole.
  absl::Status Apply(std::vector<EncodedChange> changes, const ViewPoint& point);
  /// Leaves nothing; what a crash leaves of it is no view either.
  absl::Status Drop();

 private:
  absl::Status Empty();

  kv::Store& store_;
  const std::string point_key_;
  const std::string prefix_;
  absl::Status trouble_;  ///< Why it is behind.
};

/// The views of all partitions of __consumer_offsets, in one store. Thread-safe.
class OffsetViews {
 public:
  /// The store outlives it and its views.
  explicit OffsetViews(kv::Store& store) : store_(store) {}
  OffsetView Of(const TopicPartition& log) { return {store_, log}; }

 private:
  kv::Store& store_;
};

}  // namespace talosmq::group
