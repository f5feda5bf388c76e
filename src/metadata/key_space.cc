#include "metadata/key_space.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>
#include <set>
#include <utility>

namespace talosmq::metadata {
namespace {

constexpr size_t kKeyShown = 100;  ///< Characters of a key in a message.

absl::Status Refuse(std::string_view what, size_t limit, size_t found) {
  return MakeError(Reason::kInvalidArgument, base::StrCat("metadata transaction: expected at most ",
                                                          limit, " ", what, ", found ", found));
}

}  // namespace

absl::Status CheckTransaction(const Transaction& transaction) {
  const auto& [compares, operations] = transaction;
  if (compares.size() > kTransactionPartsMax) {
    return Refuse("compares", kTransactionPartsMax, compares.size());
  }
  if (operations.size() > kTransactionPartsMax) {
    return Refuse("operations", kTransactionPartsMax, operations.size());
  }
  size_t bytes = 0;
  bool has_empty_key = false;
  for (const Compare& compare : compares) {
    bytes += compare.key.size();
    has_empty_key = has_empty_key || compare.key.empty();
  }
  std::set<std::string_view> keys;
  for (const Operation& operation : operations) {
    const size_t value_bytes = operation.value.has_value() ? operation.value->size() : 0;
    if (value_bytes > kValueBytesMax) return Refuse("bytes a value", kValueBytesMax, value_bytes);
    bytes += operation.key.size() + value_bytes;
    has_empty_key = has_empty_key || operation.key.empty();
    if (!keys.insert(operation.key).second) {
      return MakeError(Reason::kInvalidArgument,
                       base::StrCat("metadata transaction: changes the key ",
                                    base::Printable(operation.key, kKeyShown), " twice"));
    }
  }
  if (bytes > kTransactionBytesMax) {
    return Refuse("bytes of keys and values", kTransactionBytesMax, bytes);
  }
  if (has_empty_key) {
    return MakeError(Reason::kInvalidArgument, "metadata transaction: a key is empty");
  }
  return absl::OkStatus();
}

KeySpace::KeySpace(Revision revision, std::vector<KeyValue> entries) : revision_(revision) {
  for (KeyValue& entry : entries) {
    std::string key = entry.key;
    entries_.emplace(std::move(key), std::move(entry));
  }
}

const KeyValue* KeySpace::Find(std::string_view key) const {
  const auto entry = entries_.find(key);
  return entry == entries_.end() ? nullptr : &entry->second;
}

ListResult KeySpace::List(std::string_view prefix, std::string_view from, size_t limit) const {
  ListResult result;
  result.revision = revision_;
  for (auto entry = entries_.lower_bound(std::max(prefix, from));
       entry != entries_.end() && entry->first.starts_with(prefix); ++entry) {
    if (result.entries.size() == limit) {
      result.is_complete = false;
      break;
    }
    result.entries.push_back(entry->second);
  }
  return result;
}

std::vector<std::string> KeySpace::KeysOf(LeaseId lease) const {
  std::vector<std::string> keys;
  for (const auto& [key, entry] : entries_) {
    if (entry.lease == lease) keys.push_back(key);
  }
  return keys;
}

bool KeySpace::Holds(const std::vector<Compare>& compares) const {
  return std::all_of(compares.begin(), compares.end(), [this](const Compare& compare) {
    const KeyValue* entry = Find(compare.key);
    return compare.mod_revision == (entry == nullptr ? Revision::kNone : entry->mod_revision);
  });
}

std::optional<WatchEvent> KeySpace::Apply(std::vector<Operation> operations) {
  WatchEvent event;
  event.revision = static_cast<Revision>(static_cast<int64_t>(revision_) + 1);
  for (Operation& operation : operations) ApplyOne(std::move(operation), event);
  if (event.changes.empty()) return std::nullopt;
  revision_ = event.revision;
  return event;
}

void KeySpace::ApplyOne(Operation operation, WatchEvent& event) {
  const auto entry = entries_.find(operation.key);
  if (!operation.value.has_value()) {
    if (entry == entries_.end()) return;
    entries_.erase(entry);
    event.changes.push_back({.key = std::move(operation.key), .entry = std::nullopt});
    return;
  }
  KeyValue changed{
      .key = operation.key,
      .value = *std::move(operation.value),
      .create_revision = entry == entries_.end() ? event.revision : entry->second.create_revision,
      .mod_revision = event.revision,
      .lease = operation.lease};
  event.changes.push_back({.key = operation.key, .entry = changed});
  entries_.insert_or_assign(std::move(operation.key), std::move(changed));
}

}  // namespace talosmq::metadata
