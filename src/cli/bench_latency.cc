#include "base/random.h"
#include "base/status.h"
#include "cli/bench_options.h"
#include "cli/commands.h"
#include "loadgen/latency_bench.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace talosmq::cli {
namespace {

constexpr int64_t kRecordsDefault = 50'000;

absl::StatusOr<Document> MeasureLatency(const BenchOptions& options, Session& session) {
  base::SystemRandom random;
  TALOSMQ_ASSIGN_OR_RETURN(Client* const client, session.Connect());
  session.FollowWhenInterrupted(EndOfBench());
  const loadgen::BenchDeps deps = BenchDepsOf(session, random);
  // The run in the middle is the one with the middle p99 of what takes longest.
  std::vector<loadgen::LatencyResult> results;
  for (int32_t i = 0; i < options.runs; ++i) {
    TALOSMQ_ASSIGN_OR_RETURN(results.emplace_back(),
                             loadgen::RunLatency(*client, options.workload, deps));
  }
  std::sort(results.begin(), results.end(), [](const auto& a, const auto& b) {
    return a.end_to_end.latency.p99 < b.end_to_end.latency.p99;
  });
  const auto p99_ms = [](const loadgen::LatencyResult& result) {
    return Rounded(absl::ToDoubleMilliseconds(result.end_to_end.latency.p99));
  };
  const loadgen::LatencyResult& median = results[(results.size() - 1) / 2];
  Document document = DescribeRuns(loadgen::Summarize({median.end_to_end}), /*runs=*/1);
  document["durable_put_latency_ms"] = DescribeLatency(median.durable_put.latency);
  document["durable_puts"] = median.durable_put.records;
  if (options.runs > 1) {
    document["runs"] = options.runs;
    document["p99_ms_min"] = p99_ms(results.front());
    document["p99_ms_max"] = p99_ms(results.back());
  }
  return document;
}

ExitStatus RunBenchLatency(const BenchOptions& options, Session& session) {
  return session.Finish(MeasureLatency(options, session));
}

}  // namespace

void AddBenchLatency(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<BenchOptions>(
      parent, "latency", "Measure how long a record takes from producer to consumer",
      RunBenchLatency, selected);
  options->workload.records = kRecordsDefault;
  AddBenchOptions(*command, *options);
  command->footer(
      "Records are sent when they are due, --rate a second (default 10,000), whether or not the\n"
      "ones before came through (open loop). latency_ms is from the due time to the consumer;\n"
      "durable_put_latency_ms that of one record at a time, sent and acknowledged.\n"
      "--records is 50,000 by default here.\n"
      "\n"
      "Examples:\n"
      "  talosmq bench latency\n"
      "  talosmq bench latency --rate 1000 --records 10000 --size 1KB");
}

}  // namespace talosmq::cli
