#pragma once

#include "base/executor.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::metadata {

/// Number of a committed transaction; grows by one with each. 0 is before the first.
enum class Revision : int64_t { kNone = 0 };
enum class LeaseId : int64_t { kNone = 0 };
enum class WatchId : uint64_t {};

struct KeyValue {
  std::string key;
  std::string value;
  Revision create_revision = Revision::kNone;
  Revision mod_revision = Revision::kNone;  ///< Of the last change; what a Compare names.
  LeaseId lease = LeaseId::kNone;
};

/// Holds when the key's last change was `mod_revision`; kNone: when the key does not exist.
struct Compare {
  std::string key;
  Revision mod_revision = Revision::kNone;
};

struct Operation {
  std::string key;
  std::optional<std::string> value = std::nullopt;  ///< Nothing: delete.
  LeaseId lease = LeaseId::kNone;                   ///< The key goes when the lease ends.
};

/// All operations take effect together if all compares hold, else none. No key twice, none empty.
/// An operation under a lease that has ended makes it fail with kConflict.
struct Transaction {
  std::vector<Compare> compares;
  std::vector<Operation> operations;
};

struct CommitResult {
  bool succeeded = false;  ///< False: a compare did not hold, nothing has changed.
  /// Of the store, after this transaction; one that changed nothing does not raise it.
  Revision revision = Revision::kNone;
};

struct ListResult {
  std::vector<KeyValue> entries;  ///< In key order.
  bool is_complete = true;        ///< False: ask again from after the last key.
  Revision revision = Revision::kNone;
};

/// One committed transaction's changes under the watched prefix. A deleted key has no value.
struct WatchEvent {
  Revision revision = Revision::kNone;
  struct Change {
    std::string key;
    std::optional<KeyValue> entry;
  };
  std::vector<Change> changes;
};

/// etcd's limits, so every form refuses more (kInvalidArgument).
inline constexpr size_t kTransactionPartsMax = 100;  ///< Compares, and operations, each.
inline constexpr size_t kTransactionBytesMax = size_t{512} << 10;
inline constexpr size_t kValueBytesMax = size_t{64} << 10;
inline constexpr size_t kListEntriesMax = 1000;
/// Bounds of a lease's time to live, which counts in whole seconds (rounded up).
inline constexpr absl::Duration kLeaseTimeMin = absl::Seconds(1);
inline constexpr absl::Duration kLeaseTimeMax = absl::Hours(1);

/// Where the truth about the cluster lives: small keys with revisions, changed by compare-and-set
/// over several keys. Every call answers on the executor given with it, exactly once, in the order
/// of the calls made from that executor. A failed call (kMetadataUnavailable) may have taken
/// effect: read back before deciding. tests/unit/metadata has the contract that all forms pass.
/// Thread-safe.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  /// Why calls fail, as of the last change; OK while they do not. At once, on any thread.
  virtual absl::Status health() const = 0;

  virtual void Get(std::string key, base::Executor& on,
                   base::Callback<absl::StatusOr<std::optional<KeyValue>>> done) = 0;
  /// Keys with `prefix`, from `from` on (inclusive; empty: the first), at most kListEntriesMax.
  virtual void List(std::string prefix, std::string from, base::Executor& on,
                    base::Callback<absl::StatusOr<ListResult>> done) = 0;
  virtual void Commit(Transaction transaction, base::Executor& on,
                      base::Callback<absl::StatusOr<CommitResult>> done) = 0;

  /// Every change under `prefix` after revision `after`, in order, none missed, until Unwatch.
  /// `on_event` gets kOffsetOutOfRange once, and nothing more, when the history since `after` is
  /// gone: list again and watch anew (R21).
  virtual WatchId Watch(std::string prefix, Revision after, base::Executor& on,
                        base::Callback<const absl::StatusOr<WatchEvent>&> on_event) = 0;
  /// No call of on_event begins after this returned to a task of the watch's executor.
  virtual void Unwatch(WatchId watch) = 0;

  virtual void GrantLease(absl::Duration time_to_live, base::Executor& on,
                          base::Callback<absl::StatusOr<LeaseId>> done) = 0;
  /// kConflict when the lease has ended.
  virtual void KeepAlive(LeaseId lease, base::Executor& on, base::Callback<absl::Status> done) = 0;
  virtual void RevokeLease(LeaseId lease, base::Executor& on,
                           base::Callback<absl::Status> done) = 0;
};

}  // namespace talosmq::metadata
