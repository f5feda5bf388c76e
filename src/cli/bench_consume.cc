#include "base/random.h"
#include "base/status.h"
#include "cli/bench_options.h"
#include "cli/commands.h"
#include "loadgen/consume_bench.h"

namespace talosmq::cli {
namespace {

absl::StatusOr<Document> MeasureConsume(const BenchOptions& options, Session& session) {
  base::SystemRandom random;
  TALOSMQ_ASSIGN_OR_RETURN(Client* const client, session.Connect());
  session.FollowWhenInterrupted(EndOfBench());
  TALOSMQ_ASSIGN_OR_RETURN(const loadgen::RunSummary summary, RunSeveral(options.runs, [&] {
                             return loadgen::RunConsume(*client, options.workload,
                                                        BenchDepsOf(session, random));
                           }));
  return DescribeRuns(summary, options.runs);
}

ExitStatus RunBenchConsume(const BenchOptions& options, Session& session) {
  return session.Finish(MeasureConsume(options, session));
}

}  // namespace

void AddBenchConsume(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<BenchOptions>(parent, "consume", "Read records that the server has in its cache",
                               RunBenchConsume, selected);
  AddBenchOptions(*command, *options);
  command->footer(
      "A new topic is filled with as much as the server caches and read over and over; one given\n"
      "with --topic is read once from its start. latency_ms is what one poll took.\n"
      "\n"
      "Examples:\n"
      "  talosmq bench consume --records 10000000\n"
      "  talosmq bench consume --topic orders --records 50000");
}

}  // namespace talosmq::cli
