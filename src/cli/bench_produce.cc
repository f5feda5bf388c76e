#include "base/random.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/bench_options.h"
#include "cli/byte_size.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "loadgen/null_produce_bench.h"
#include "loadgen/produce_bench.h"

namespace talosmq::cli {
namespace {

struct BenchProduceOptions {
  BenchOptions bench;
  bool uses_null_transport = false;
};

absl::StatusOr<absl::Duration> ParseLinger(std::string_view text) {
  absl::Duration linger;
  if (absl::ParseDuration(base::ToAbsl(text), &linger)) return linger;
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", text, "' is no duration; expected one like 5ms or 2s"));
}

absl::StatusOr<Document> MeasureProduce(const BenchProduceOptions& options, Session& session) {
  base::SystemRandom random;
  const loadgen::BenchDeps deps = BenchDepsOf(session, random);
  const loadgen::Workload& workload = options.bench.workload;
  if (options.uses_null_transport) {
    TALOSMQ_ASSIGN_OR_RETURN(const loadgen::RunSummary summary, RunSeveral(options.bench.runs, [&] {
                               return loadgen::RunNullProduce(workload, deps);
                             }));
    return DescribeRuns(summary, options.bench.runs);
  }
  TALOSMQ_ASSIGN_OR_RETURN(Client* const client, session.Connect());
  session.FollowWhenInterrupted(EndOfBench());
  TALOSMQ_ASSIGN_OR_RETURN(const loadgen::RunSummary summary, RunSeveral(options.bench.runs, [&] {
                             return loadgen::RunProduce(*client, workload, deps);
                           }));
  return DescribeRuns(summary, options.bench.runs);
}

ExitStatus RunBenchProduce(const BenchProduceOptions& options, Session& session) {
  return session.Finish(MeasureProduce(options, session));
}

}  // namespace

void AddBenchProduce(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<BenchProduceOptions>(
      parent, "produce", "Send records with one producer and wait for every acknowledgement",
      RunBenchProduce, selected);
  AddBenchOptions(*command, options->bench);
  AddParsed(*command, "--linger", options->bench.workload.linger, ParseLinger,
            "How long a batch waits for more records, as 5ms; default 0")
      ->type_name("DURATION");
  AddParsed(*command, "--batch-size", options->bench.workload.batch_bytes, ParseByteSize,
            "At which a batch is full, 1KiB to 20MiB; default 1MiB")
      ->type_name("SIZE");
  // An empty group keeps it out of the help: it measures the SDK alone, against no server.
  command->add_flag("--null-transport", options->uses_null_transport)->group("");
  command->footer(
      "latency_ms is from the sending of a record to its acknowledgement.\n"
      "\n"
      "Examples:\n"
      "  talosmq bench produce\n"
      "  talosmq bench produce --size 1KB --records 500000 --runs 5 -o json");
}

}  // namespace talosmq::cli
