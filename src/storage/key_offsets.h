#pragma once

#include "base/keyed_hash.h"
#include "base/random.h"
#include "talosmq/ids.h"

#include "absl/container/flat_hash_map.h"

#include <cstddef>
#include <optional>
#include <string_view>

namespace talosmq::storage {

/// The last offset of each key in a part of a log, for compaction.
///
/// Keys are told apart by a keyed hash of 128 bits, so that nobody can make two that are taken for
/// one; at 4,000,000 keys chance does so with a probability below 10^-25. Thread-compatible.
class KeyOffsets {
 public:
  /// What a key takes at most, while the table grows, too.
  static constexpr size_t kBytesPerKey = 96;

  /// At most `keys_max` keys.
  KeyOffsets(base::Random& random, size_t keys_max) : keys_max_(keys_max), hash_(random) {}

  /// `offset` is above all before. False, with nothing changed, for a new key without room.
  bool Add(std::string_view key, Offset offset);
  /// Nothing for a key that was not added.
  std::optional<Offset> Find(std::string_view key);
  size_t size() const { return offsets_.size(); }

 private:
  const size_t keys_max_;
  base::KeyedHash hash_;
  absl::flat_hash_map<base::KeyedHash::Value, Offset> offsets_;
};

}  // namespace talosmq::storage
