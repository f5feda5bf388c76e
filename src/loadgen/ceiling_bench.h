#pragma once

#include "io/file_system.h"
#include "loadgen/run_result.h"
#include "loadgen/workload.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <string>

namespace talosmq::loadgen {

struct CeilingOptions {
  std::string directory = ".";  ///< Where the file lies while it runs; removed afterwards.
  int64_t records = 1'000'000;
  int64_t value_bytes = 100;
};

/// Latency is that of a batch: from its write to its acknowledgement.
struct CeilingResult {
  RunResult built;
  RunResult prebuilt;  ///< The same bytes, with batches that were built before.
};

/// The limit of this design on this machine: what is left of the way from a producer to the disk
/// when everything that can be left out is. One thread builds 1 MiB batches of real records with
/// their CRC and keeps five under way on one raw gRPC stream over loopback; the server side copies
/// each, checks its CRC, writes all that waits in one go, flushes once and acknowledges. There are
/// no partitions, offsets, retries, caches or readers.
absl::StatusOr<CeilingResult> RunCeiling(const CeilingOptions& options, io::FileSystem& file_system,
                                         const BenchDeps& deps);

}  // namespace talosmq::loadgen
