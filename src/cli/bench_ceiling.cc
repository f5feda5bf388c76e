#include "base/random.h"
#include "base/status.h"
#include "cli/bench_options.h"
#include "cli/commands.h"
#include "loadgen/ceiling_bench.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::cli {
namespace {

struct BenchCeilingOptions {
  loadgen::CeilingOptions ceiling;
  int32_t runs = 1;
};

absl::StatusOr<Document> MeasureCeiling(const BenchCeilingOptions& options, Session& session) {
  base::SystemRandom random;
  session.FollowWhenInterrupted(EndOfBench());
  std::vector<loadgen::RunResult> built;
  std::vector<loadgen::RunResult> prebuilt;
  for (int32_t i = 0; i < options.runs; ++i) {
    TALOSMQ_ASSIGN_OR_RETURN(
        const loadgen::CeilingResult result,
        loadgen::RunCeiling(options.ceiling, session.file_system(), BenchDepsOf(session, random)));
    built.push_back(result.built);
    prebuilt.push_back(result.prebuilt);
  }
  Document document = DescribeRuns(loadgen::Summarize(std::move(built)), options.runs);
  const loadgen::RunSummary without_building = loadgen::Summarize(std::move(prebuilt));
  document["prebuilt_records_per_second"] = Rounded(without_building.median.records_per_second());
  document["prebuilt_megabytes_per_second"] =
      Rounded(without_building.median.megabytes_per_second());
  return document;
}

ExitStatus RunBenchCeiling(const BenchCeilingOptions& options, Session& session) {
  return session.Finish(MeasureCeiling(options, session));
}

}  // namespace

void AddBenchCeiling(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<BenchCeilingOptions>(
      parent, "ceiling", "Measure what this machine allows at most; needs no server",
      RunBenchCeiling, selected);
  loadgen::CeilingOptions& ceiling = options->ceiling;
  AddSizeOptions(*command, ceiling.records, ceiling.value_bytes);
  command
      ->add_option("--directory", ceiling.directory,
                   "Where the file lies that is written meanwhile; default: here")
      ->type_name("DIR");
  AddRunsOption(*command, options->runs);
  command->footer(
      "One thread builds 1 MiB batches and keeps five under way on a bare gRPC stream; the other\n"
      "end checks, writes, flushes and acknowledges them. prebuilt_* is the same without "
      "building.\n"
      "\n"
      "Examples:\n"
      "  talosmq bench ceiling --records 10000000\n"
      "  talosmq bench ceiling --size 1KB --directory /var/lib/talosmq --runs 5");
}

}  // namespace talosmq::cli
