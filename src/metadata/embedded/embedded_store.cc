#include "metadata/embedded/embedded_store.h"

#include "base/status.h"
#include "base/text.h"
#include "metadata/embedded/kv_layout.h"
#include "metadata/store_engine.h"
#include "metadata/store_state.h"

#include <functional>
#include <optional>
#include <utility>

namespace talosmq::metadata {
namespace {

constexpr size_t kScanEntries = 1000;

absl::Status ForEachEntry(kv::Store& kv, const std::string& prefix,
                          const std::function<absl::Status(const kv::Entry&)>& visit) {
  std::string from;
  while (true) {
    TALOSMQ_ASSIGN_OR_RETURN(const std::vector<kv::Entry> page,
                             kv.Scan(prefix, from, kScanEntries));
    for (const kv::Entry& entry : page) TALOSMQ_RETURN_IF_ERROR(visit(entry));
    if (page.size() < kScanEntries) return absl::OkStatus();
    from = page.back().key + '\0';
  }
}

/// An entry or lease from beyond the head means that the head, which every batch writes, is not
/// the newest one: the kv store has lost something.
absl::Status CheckNotBeyond(const kv::Entry& stored, int64_t number, int64_t head) {
  if (number <= head) return absl::OkStatus();
  return MakeError(Reason::kCorruptData,
                   base::StrCat("embedded metadata, key ", base::Printable(stored.key, 300),
                                ": expected nothing beyond the head's ", head, ", found ", number));
}

absl::Status LoadHead(const KvLayout& layout, kv::Store& kv, StoreState& state) {
  TALOSMQ_ASSIGN_OR_RETURN(std::optional<std::string> value, kv.Get(layout.HeadKey()));
  if (!value.has_value()) return absl::OkStatus();
  TALOSMQ_ASSIGN_OR_RETURN(const KvHead head, KvLayout::DecodeHead({.key = layout.HeadKey(),
                                                                    .value = *std::move(value)}));
  state.revision = head.revision;
  state.last_lease = head.last_lease;
  return absl::OkStatus();
}

absl::Status LoadEntry(const KvLayout& layout, const kv::Entry& stored, StoreState& state) {
  TALOSMQ_ASSIGN_OR_RETURN(KeyValue entry, layout.DecodeEntry(stored));
  TALOSMQ_RETURN_IF_ERROR(CheckNotBeyond(stored, static_cast<int64_t>(entry.mod_revision),
                                         static_cast<int64_t>(state.revision)));
  state.entries.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::Status LoadLease(const KvLayout& layout, const kv::Entry& stored, StoreState& state) {
  TALOSMQ_ASSIGN_OR_RETURN(const StoredLease lease, layout.DecodeLease(stored));
  TALOSMQ_RETURN_IF_ERROR(CheckNotBeyond(stored, static_cast<int64_t>(lease.id),
                                         static_cast<int64_t>(state.last_lease)));
  state.leases.push_back(lease);
  return absl::OkStatus();
}

absl::StatusOr<StoreState> Load(const KvLayout& layout, kv::Store& kv) {
  StoreState state;
  TALOSMQ_RETURN_IF_ERROR(LoadHead(layout, kv, state));
  const auto load_entry = [&](const kv::Entry& stored) { return LoadEntry(layout, stored, state); };
  const auto load_lease = [&](const kv::Entry& stored) { return LoadLease(layout, stored, state); };
  TALOSMQ_RETURN_IF_ERROR(ForEachEntry(kv, layout.EntriesPrefix(), load_entry));
  TALOSMQ_RETURN_IF_ERROR(ForEachEntry(kv, layout.LeasesPrefix(), load_lease));
  return state;
}

/// Writes each round as one synced batch. Confined to the store's executor. Borrows the kv store.
class KvStateWriter final : public StateWriter {
 public:
  KvStateWriter(KvLayout layout, kv::Store& kv) : layout_(std::move(layout)), kv_(kv) {}

  absl::Status Write(const StoreChanges& changes) override {
    kv::WriteBatch batch;
    for (const WatchEvent& event : changes.events) {
      for (const WatchEvent::Change& change : event.changes) AddChange(change, batch);
    }
    for (const StoredLease& lease : changes.granted) {
      batch.Put(layout_.LeaseKey(lease.id), KvLayout::EncodeLease(lease));
    }
    for (const LeaseId lease : changes.ended) batch.Delete(layout_.LeaseKey(lease));
    batch.Put(layout_.HeadKey(), KvLayout::EncodeHead({.revision = changes.revision,
                                                       .last_lease = changes.last_lease}));
    return kv_.Write(batch, kv::Durability::kSynced);
  }

  absl::StatusOr<StoreState> Reload() override {
    TALOSMQ_RETURN_IF_ERROR(kv_.Write(kv::WriteBatch(), kv::Durability::kSynced));
    return Load(layout_, kv_);
  }

 private:
  void AddChange(const WatchEvent::Change& change, kv::WriteBatch& batch) const {
    if (change.entry.has_value()) {
      batch.Put(layout_.EntryKey(change.key), KvLayout::EncodeEntry(*change.entry));
    } else {
      batch.Delete(layout_.EntryKey(change.key));
    }
  }

  const KvLayout layout_;
  kv::Store& kv_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetadataStore>> OpenEmbeddedStore(EmbeddedStoreOptions options,
                                                                 kv::Store& kv,
                                                                 base::Executor& executor) {
  const KvLayout layout(std::move(options.key_prefix));
  TALOSMQ_ASSIGN_OR_RETURN(StoreState state, Load(layout, kv));
  return std::make_unique<StoreEngine>(
      WatchHistory::Options{.events_max = options.history_events_max,
                            .bytes_max = options.history_bytes_max},
      std::move(state), std::make_unique<KvStateWriter>(layout, kv), executor);
}

}  // namespace talosmq::metadata
