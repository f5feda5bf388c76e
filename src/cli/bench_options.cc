#include "cli/bench_options.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/byte_size.h"
#include "cli/command.h"

#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::cli {
namespace {

constexpr int64_t kValueBytesMax = 8 << 20;

absl::StatusOr<int64_t> ParseValueSize(std::string_view text) {
  TALOSMQ_ASSIGN_OR_RETURN(const int64_t size, ParseByteSize(text));
  if (size <= kValueBytesMax) return size;
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", text, "' is more than the 8MiB that a bench record may have"));
}

absl::StatusOr<loadgen::Spread> ParseSpread(std::string_view name) {
  if (name == "sticky") return loadgen::Spread::kSticky;
  if (name == "even") return loadgen::Spread::kEven;
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", name, "' is no way to spread; there are even and sticky"));
}

}  // namespace

void AddSizeOptions(CLI::App& command, int64_t& records, int64_t& value_bytes) {
  command.add_option("--records", records, "How many; default 1,000,000")->check(AtLeast(1));
  AddParsed(command, "--size", value_bytes, ParseValueSize,
            "Of a value, as 100, 1KB or 1KiB, up to 8MiB; default 100")
      ->type_name("SIZE");
}

void AddRunsOption(CLI::App& command, int32_t& runs) {
  command
      .add_option("--runs", runs,
                  "Run so often, 1 to 1,000; tell the median and the spread; default 1")
      ->check(Between(1, 1000));
}

void AddBenchOptions(CLI::App& command, BenchOptions& options) {
  loadgen::Workload& workload = options.workload;
  command
      .add_option("--topic", workload.topic,
                  "An existing topic; default: a new one, deleted afterwards")
      ->type_name("TOPIC");
  AddSizeOptions(command, workload.records, workload.value_bytes);
  command.add_option("--rate", workload.rate, "Records a second; default: as fast as it goes")
      ->check(AtLeast(1));
  command
      .add_option("--partitions", workload.partitions, "Of the new topic, 1 to 10,000; default 1")
      ->check(Between(1, 10'000));
  AddParsed(command, "--spread", workload.spread, ParseSpread,
            "sticky: one partition for a batch; even: a record to each in turn; default sticky")
      ->type_name("sticky|even");
  AddRunsOption(command, options.runs);
}

ForcedEnd::Plan EndOfBench() {
  return {.after = absl::Seconds(10), .words = [] {
            return "interrupted, and the end of the bench does not come; what was made for it may "
                   "be left: see `talosmq topic list`";
          }};
}

loadgen::BenchDeps BenchDepsOf(Session& session, base::Random& random) {
  const Interrupt& interrupt = session.interrupt();
  return {.clock = session.clock(), .random = random, .is_interrupted = [&interrupt] {
            return interrupt.IsRaised();
          }};
}

absl::StatusOr<loadgen::RunSummary> RunSeveral(
    int32_t runs, absl::FunctionRef<absl::StatusOr<loadgen::RunResult>()> run) {
  std::vector<loadgen::RunResult> results;
  for (int32_t i = 0; i < runs; ++i) {
    TALOSMQ_ASSIGN_OR_RETURN(results.emplace_back(), run());
  }
  return loadgen::Summarize(std::move(results));
}

Document DescribeRuns(const loadgen::RunSummary& summary, int32_t runs) {
  const loadgen::RunResult& median = summary.median;
  Document document{{"records_per_second", Rounded(median.records_per_second())},
                    {"megabytes_per_second", Rounded(median.megabytes_per_second())},
                    {"latency_ms", DescribeLatency(median.latency)},
                    {"records", median.records},
                    {"seconds", Rounded(absl::ToDoubleSeconds(median.took))}};
  if (runs > 1) {
    document["runs"] = runs;
    document["records_per_second_min"] = Rounded(summary.records_per_second_min);
    document["records_per_second_max"] = Rounded(summary.records_per_second_max);
  }
  return document;
}

Document DescribeLatency(const loadgen::LatencySummary& latency) {
  return {{"p50", Rounded(absl::ToDoubleMilliseconds(latency.p50))},
          {"p99", Rounded(absl::ToDoubleMilliseconds(latency.p99))},
          {"p999", Rounded(absl::ToDoubleMilliseconds(latency.p999))},
          {"max", Rounded(absl::ToDoubleMilliseconds(latency.max))}};
}

double Rounded(double value) { return std::round(value * 1000) / 1000; }

}  // namespace talosmq::cli
