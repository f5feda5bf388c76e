#pragma once

#include "base/executor.h"
#include "metadata/metadata_store.h"

#include <cstddef>
#include <memory>

namespace talosmq::metadata {

struct MemoryStoreOptions {
  /// History that watches can begin in: at most so many transactions and bytes. 1 up.
  size_t history_events_max = 10'000;
  size_t history_bytes_max = size_t{8} << 20;
};

/// A metadata store that forgets everything when it goes: for the simulator, where it outlives the
/// brokers that crash, and for tests. Thread-safe. Works on `executor`, which outlives it.
std::unique_ptr<MetadataStore> MakeMemoryStore(MemoryStoreOptions options,
                                               base::Executor& executor);

}  // namespace talosmq::metadata
