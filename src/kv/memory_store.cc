#include "base/mutex.h"
#include "kv/store.h"

#include <algorithm>
#include <map>

namespace talosmq::kv {
namespace {

using Entries = std::map<std::string, std::string, std::less<>>;

void Apply(const WriteBatch& batch, Entries& entries) {
  for (const WriteBatch::Operation& operation : batch.operations()) {
    if (operation.value.has_value()) {
      entries[operation.key] = *operation.value;
    } else {
      entries.erase(operation.key);
    }
  }
}

/// What readers see, what the platter holds, and the batches between the two. Thread-safe.
class MapStore final : public MemoryStore {
 public:
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    const base::MutexLock lock(mutex_);
    const auto entry = entries_.find(key);
    if (entry == entries_.end()) return std::optional<std::string>();
    return std::optional(entry->second);
  }

  absl::StatusOr<std::vector<Entry>> Scan(std::string_view prefix, std::string_view from,
                                          size_t limit) override {
    std::vector<Entry> found;
    const base::MutexLock lock(mutex_);
    for (auto entry = entries_.lower_bound(std::max(prefix, from)); entry != entries_.end();
         ++entry) {
      if (found.size() == limit || !entry->first.starts_with(prefix)) break;
      found.push_back({.key = entry->first, .value = entry->second});
    }
    return found;
  }

  absl::Status Write(const WriteBatch& batch, Durability durability) override {
    const base::MutexLock lock(mutex_);
    Apply(batch, entries_);
    unsynced_.push_back(batch);
    if (durability == Durability::kSynced) KeepLocked(unsynced_.size());
    return absl::OkStatus();
  }

  void CutPower(size_t unsynced_kept) override {
    const base::MutexLock lock(mutex_);
    KeepLocked(std::min(unsynced_kept, unsynced_.size()));
    entries_ = durable_;
  }

  size_t unsynced() const override {
    const base::MutexLock lock(mutex_);
    return unsynced_.size();
  }

 private:
  /// The first `batches` reach the platter, the others are forgotten.
  void KeepLocked(size_t batches) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (size_t i = 0; i < batches; ++i) Apply(unsynced_[i], durable_);
    unsynced_.clear();
  }

  mutable base::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  Entries durable_ ABSL_GUARDED_BY(mutex_);
  std::vector<WriteBatch> unsynced_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<MemoryStore> MakeMemoryStore() { return std::make_unique<MapStore>(); }

}  // namespace talosmq::kv
