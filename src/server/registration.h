#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "metadata/metadata_store.h"
#include "server/data_directory.h"

#include "absl/status/status.h"

#include <string>

namespace talosmq::server {

/// Checks that data directory and metadata store belong together, raises the boot counter in both
/// (in node.json first), and registers the broker under `address`. The first start of all writes
/// the cluster's identity. For the main thread: blocks; answers of the store come on `executor`.
absl::Status RegisterNode(DataDirectory& directory, DataDirectory::OldCopy old_copy,
                          const std::string& address, metadata::MetadataStore& store,
                          base::Executor& executor, const base::Clock& clock);

/// Tells clients another address: the port is known once it is listened on. Blocks.
absl::Status UpdateAddress(const NodeIdentity& identity, const std::string& address,
                           metadata::MetadataStore& store, base::Executor& executor);

}  // namespace talosmq::server
