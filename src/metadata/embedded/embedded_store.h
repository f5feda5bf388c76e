#pragma once

#include "base/executor.h"
#include "kv/store.h"
#include "metadata/metadata_store.h"

#include "absl/status/statusor.h"

#include <cstddef>
#include <memory>
#include <string>

namespace talosmq::metadata {

struct EmbeddedStoreOptions {
  /// All keys in the kv store begin with it, so that the log catalogue can live beside them.
  std::string key_prefix = "meta/";
  /// History that watches can begin in: at most so many transactions and bytes. 1 up.
  size_t history_events_max = 10'000;
  size_t history_bytes_max = size_t{8} << 20;
};

/// The metadata store of a single node: a kv store holds the truth, synced before any answer.
///
/// Invariants:
/// 1. An answer is given after everything that it shows is durable.
/// 2. All that waits is made durable together, in the order of the calls.
/// 3. After a failed write every call fails with kMetadataUnavailable, for what it would show may
///    not be on disk; until the kv store takes writes again and was read anew, which is tried each
///    StoreEngine::kReloadInterval.
/// Thread-safe. Borrows the kv store and the executor, which outlive it and whose tasks may block
/// on the disk; callbacks run on the callers' executors only.
/// Crash: keys, revisions and leases are found again; leases begin their time anew; the history
/// for watches is empty, so watches from earlier revisions are told to list again.
absl::StatusOr<std::unique_ptr<MetadataStore>> OpenEmbeddedStore(EmbeddedStoreOptions options,
                                                                 kv::Store& kv,
                                                                 base::Executor& executor);

}  // namespace talosmq::metadata
