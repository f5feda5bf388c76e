#pragma once

#include "metadata/metadata_store.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::metadata {

/// OK for what every form of the store takes; kInvalidArgument, naming limit and what was found.
absl::Status CheckTransaction(const Transaction& transaction);

/// The keys of a metadata store and their revisions, without I/O or waiting.
///
/// Invariants:
/// 1. revision() grows by one with each Apply that changes something; no entry is newer.
/// 2. An entry's create_revision stays until the key is deleted.
/// Thread-compatible. In memory; the forms of the store say what survives.
class KeySpace {
 public:
  KeySpace() = default;
  KeySpace(Revision revision, std::vector<KeyValue> entries);

  Revision revision() const { return revision_; }

  /// Null when there is no such key; valid until the next Apply.
  const KeyValue* Find(std::string_view key) const;
  ListResult List(std::string_view prefix, std::string_view from, size_t limit) const;
  /// Reads every entry: for the rare end of a lease.
  std::vector<std::string> KeysOf(LeaseId lease) const;

  bool Holds(const std::vector<Compare>& compares) const;
  /// The changes, or nothing when there are none: deleting an absent key is no change.
  std::optional<WatchEvent> Apply(std::vector<Operation> operations);

 private:
  void ApplyOne(Operation operation, WatchEvent& event);

  Revision revision_ = Revision::kNone;
  std::map<std::string, KeyValue, std::less<>> entries_;
};

}  // namespace talosmq::metadata
