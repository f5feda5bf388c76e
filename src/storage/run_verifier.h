#pragma once

#include "base/bytes.h"
#include "record/batch.h"
#include "storage/batch_chain.h"
#include "storage/segment_index.h"

#include <optional>
#include <span>
#include <vector>

namespace talosmq::storage {

/// A batch inside bytes that were verified.
struct VerifiedBatch {
  record::BatchHeader header;
  size_t position = 0;  ///< Within the bytes.
};

/// A run and what its batches have to agree with.
struct ExpectedRun {
  TopicPartition log;
  IndexEntry entry;
  std::span<const EpochEntry> history = {};
  Density density = Density::kDense;
};

/// Checks the bytes of one whole run against its index entry: each batch by chain and CRC, then
/// their number of bytes, their end and the check of the run. Appends the batches, with positions
/// counted from `position_base`, when all is well. A pure function.
std::optional<Mismatch> VerifyRun(base::ByteSpan bytes, const ExpectedRun& run,
                                  size_t position_base, std::vector<VerifiedBatch>& batches);

}  // namespace talosmq::storage
