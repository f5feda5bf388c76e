#pragma once

#include "CLI/CLI.hpp"
#include "base/random.h"
#include "cli/document.h"
#include "cli/forced_end.h"
#include "cli/session.h"
#include "loadgen/run_result.h"
#include "loadgen/workload.h"

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include <cstdint>

namespace talosmq::cli {

/// What the benches that talk to a server share.
struct BenchOptions {
  loadgen::Workload workload;
  int32_t runs = 1;
};

/// --topic, --records, --size, --rate, --partitions, --spread and --runs.
void AddBenchOptions(CLI::App& command, BenchOptions& options);
/// --records and --size alone.
void AddSizeOptions(CLI::App& command, int64_t& records, int64_t& value_bytes);
void AddRunsOption(CLI::App& command, int32_t& runs);

/// What Ctrl-C waits for: a bench hears of it soon, but what is under way must end, and what was
/// made for it must go. To be followed once connected.
ForcedEnd::Plan EndOfBench();

/// What a bench asks of the command that runs it. `random` is borrowed.
loadgen::BenchDeps BenchDepsOf(Session& session, base::Random& random);

/// Runs a bench several times and describes the outcome.
absl::StatusOr<loadgen::RunSummary> RunSeveral(
    int32_t runs, absl::FunctionRef<absl::StatusOr<loadgen::RunResult>()> run);

/// records_per_second, megabytes_per_second and latency_ms of the median, then records, seconds
/// and, of several runs, runs with their spread.
Document DescribeRuns(const loadgen::RunSummary& summary, int32_t runs);
/// {"p50": ..., "p99": ..., "p999": ..., "max": ...} in milliseconds.
Document DescribeLatency(const loadgen::LatencySummary& latency);

/// Three decimals, which is what a measurement deserves.
double Rounded(double value);

}  // namespace talosmq::cli
