#include "storage/key_offsets.h"

namespace talosmq::storage {

bool KeyOffsets::Add(std::string_view key, Offset offset) {
  const base::KeyedHash::Value hash = hash_.Of(key);
  if (offsets_.size() < keys_max_) {
    offsets_[hash] = offset;
    return true;
  }
  const auto known = offsets_.find(hash);
  if (known == offsets_.end()) return false;
  known->second = offset;
  return true;
}

std::optional<Offset> KeyOffsets::Find(std::string_view key) {
  const auto found = offsets_.find(hash_.Of(key));
  if (found == offsets_.end()) return std::nullopt;
  return found->second;
}

}  // namespace talosmq::storage
