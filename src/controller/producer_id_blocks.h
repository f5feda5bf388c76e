#pragma once

#include "base/executor.h"
#include "metadata/metadata_store.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <cstdint>

namespace talosmq::controller {

inline constexpr int64_t kProducerIdBlockSize = 1000;

/// Producer ids [first, first + kProducerIdBlockSize).
struct ProducerIdBlock {
  ProducerId first;
};

/// Hands out producer ids that nobody else has or ever had, a block at a time, by compare-and-set.
/// A block whose taking was interrupted is lost, never given twice.
/// Thread-safe; callbacks run on the executor. Borrows store and executor.
class ProducerIdBlocks {
 public:
  ProducerIdBlocks(metadata::MetadataStore& store, base::Executor& executor)
      : store_(store), executor_(executor) {}

  void Take(base::Callback<absl::StatusOr<ProducerIdBlock>> done);

 private:
  metadata::MetadataStore& store_;
  base::Executor& executor_;
};

}  // namespace talosmq::controller
