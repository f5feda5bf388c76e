#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::kv {

struct Entry {
  std::string key;
  std::string value;
};

/// Puts and deletes that take effect together, in their order.
class WriteBatch {
 public:
  void Put(std::string key, std::string value);
  void Delete(std::string key);

  struct Operation {
    std::string key;
    std::optional<std::string> value;  ///< Nothing: delete.
  };
  const std::vector<Operation>& operations() const { return operations_; }
  bool empty() const { return operations_.empty(); }

 private:
  std::vector<Operation> operations_;
};

enum class Durability {
  kSynced,    ///< Survives a power cut once Write returned.
  kUnsynced,  ///< A power cut may take the newest batches, always a suffix of them.
};

/// An ordered map of byte strings for what is small, local and keyed; never for messages.
/// Calls block on the disk: not for a shard. After a failed Write the store refuses further writes
/// until it is opened again (Reason::kStorageFenced); after one that failed for lack of space
/// (Reason::kStorageFull) it opens itself again with a later Write, once there is space. What a
/// failed write held may be found from then on. Thread-safe.
class Store {
 public:
  virtual ~Store() = default;
  /// Nothing when there is no such key.
  virtual absl::StatusOr<std::optional<std::string>> Get(std::string_view key) = 0;
  /// Entries with `prefix` whose key is >= `from`, in key order, at most `limit`.
  virtual absl::StatusOr<std::vector<Entry>> Scan(std::string_view prefix, std::string_view from,
                                                  size_t limit) = 0;
  virtual absl::Status Write(const WriteBatch& batch, Durability durability) = 0;
};

/// What a store that is opened again must still have. Its own files cannot tell: with the end of
/// its log or of its manifest, the list of its tables, cut off it is a whole store of another time.
struct StoreMark {
  int64_t writes = 0;          ///< Puts and deletes since it was made; 0: there may be none yet.
  std::string manifest = {};   ///< The name of that list; empty: not known.
  int64_t manifest_bytes = 0;  ///< Of its beginning.
  uint32_t manifest_crc = 0;   ///< CRC-32C of those.

  friend bool operator==(const StoreMark&, const StoreMark&) = default;
};

/// A form that lives on the disk.
class DiskStore : public Store {
 public:
  /// Makes everything written so far durable and tells what that is. Free when nothing has changed
  /// since the last time. By one caller at a time.
  virtual absl::StatusOr<StoreMark> Sync() = 0;
};

/// Opens the RocksDB form in `directory`. Small caches: it must fit an idle server. With a mark of
/// Sync() the store must be there, be readable whole and have all that the mark says, or it is
/// kCorruptData and no file of it was changed; without writes in it a missing store is made.
absl::StatusOr<std::unique_ptr<DiskStore>> OpenRocksStore(const std::string& directory,
                                                          const StoreMark& mark = {});

/// An in-memory form with the semantics of a power cut, for tests and the simulator.
class MemoryStore : public Store {
 public:
  /// Forgets a suffix of unsynced batches: keeps the first `unsynced_kept` of them.
  virtual void CutPower(size_t unsynced_kept) = 0;
  virtual size_t unsynced() const = 0;
};
std::unique_ptr<MemoryStore> MakeMemoryStore();

}  // namespace talosmq::kv
