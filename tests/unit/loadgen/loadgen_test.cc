#include "base/clock.h"
#include "base/random.h"
#include "io/file_system.h"
#include "loadgen/ceiling_bench.h"
#include "loadgen/ceiling_log.h"
#include "loadgen/latency_samples.h"
#include "loadgen/null_produce_bench.h"
#include "loadgen/pacer.h"
#include "loadgen/record_values.h"
#include "loadgen/run_result.h"
#include "support/manual_clock.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace talosmq::loadgen {
namespace {

TEST(LatencySamplesTest, NoSampleGivesZeros) {
  const LatencySummary summary = LatencySamples().Summarize();
  EXPECT_EQ(summary.p50, absl::ZeroDuration());
  EXPECT_EQ(summary.max, absl::ZeroDuration());
}

TEST(LatencySamplesTest, OneSampleIsEveryQuantile) {
  LatencySamples samples;
  samples.Add(absl::Milliseconds(3));
  const LatencySummary summary = samples.Summarize();
  EXPECT_EQ(summary.p50, absl::Milliseconds(3));
  EXPECT_EQ(summary.p999, absl::Milliseconds(3));
  EXPECT_EQ(summary.max, absl::Milliseconds(3));
}

TEST(LatencySamplesTest, QuantilesAreThoseOfTheSortedSamples) {
  LatencySamples samples;
  for (int i = 1000; i >= 1; --i) samples.Add(absl::Microseconds(i));
  const LatencySummary summary = samples.Summarize();
  EXPECT_EQ(summary.p50, absl::Microseconds(500));
  EXPECT_EQ(summary.p99, absl::Microseconds(990));
  EXPECT_EQ(summary.p999, absl::Microseconds(999));
  EXPECT_EQ(summary.max, absl::Microseconds(1000));
}

TEST(LatencySamplesTest, ThinningKeepsQuantilesAndTheExactMaximum) {
  LatencySamples samples;
  const auto count = static_cast<int64_t>(3 * LatencySamples::kSamplesMax);
  for (int64_t i = 0; i < count; ++i) samples.Add(absl::Nanoseconds(i % 1000));
  samples.Add(absl::Seconds(1));
  samples.Add(absl::Nanoseconds(1));
  const LatencySummary summary = samples.Summarize();
  EXPECT_EQ(samples.count(), count + 2);
  EXPECT_NEAR(absl::ToDoubleNanoseconds(summary.p50), 500, 5);
  EXPECT_NEAR(absl::ToDoubleNanoseconds(summary.p99), 990, 5);
  EXPECT_EQ(summary.max, absl::Seconds(1));
}

TEST(RunResultTest, NoTimeGivesNoRate) {
  EXPECT_EQ((RunResult{.records = 5, .bytes = 5, .took = {}, .latency = {}}.records_per_second()),
            0);
}

TEST(RunResultTest, MedianIsTheMiddleRunAndTheSlowerOfTwo) {
  const auto run = [](int64_t records) {
    return RunResult{.records = records, .bytes = 0, .took = absl::Seconds(1), .latency = {}};
  };
  EXPECT_EQ(Summarize({run(30), run(10), run(20)}).median.records, 20);
  EXPECT_EQ(Summarize({run(30), run(10)}).median.records, 10);
  const RunSummary summary = Summarize({run(30), run(10), run(20)});
  EXPECT_EQ(summary.records_per_second_min, 10);
  EXPECT_EQ(summary.records_per_second_max, 30);
}

TEST(RecordValuesTest, ValuesHaveTheirSizeAndDiffer) {
  base::SystemRandom random;
  const RecordValues values(100, random);
  std::set<std::string_view> distinct;
  for (int64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(values.Get(i).size(), 100U);
    distinct.insert(values.Get(i));
  }
  EXPECT_EQ(distinct.size(), 1000U);
  EXPECT_EQ(RecordValues(0, random).Get(5), "");
}

TEST(PacerTest, LateTurnKeepsItsDueTimeAndWaitsNoMore) {
  support::ManualClock clock;
  const Pacer pacer(clock, 1000);
  const absl::Duration began = clock.Monotonic();
  EXPECT_EQ(pacer.DueTime(5) - began, absl::Milliseconds(5));
  clock.Advance(absl::Seconds(1));
  pacer.WaitFor(5);
  EXPECT_EQ(pacer.DueTime(5) - began, absl::Milliseconds(5));
}

/// A directory of its own and what a bench needs.
class BenchTest : public testing::Test {
 protected:
  BenchTest()
      : directory_(testing::TempDir() + "/talosmq-loadgen." + std::to_string(::getpid())),
        file_system_(io::MakePosixFileSystem()) {
    std::filesystem::create_directories(directory_);
  }
  ~BenchTest() override { std::filesystem::remove_all(directory_); }

  BenchDeps Deps() {
    return {.clock = clock_, .random = random_, .is_interrupted = [] { return false; }};
  }
  BenchDeps InterruptedDeps() {
    return {.clock = clock_, .random = random_, .is_interrupted = [] { return true; }};
  }
  CeilingOptions Options() const {
    return {.directory = directory_, .records = 25'000, .value_bytes = 100};
  }

  const std::string directory_;
  const std::unique_ptr<io::FileSystem> file_system_;
  base::SystemClock clock_;
  base::SystemRandom random_;
};

TEST_F(BenchTest, CeilingFailsWhereItsFileCannotLie) {
  CeilingOptions options = Options();
  options.directory = "/nowhere/at/all";
  EXPECT_FALSE(RunCeiling(options, *file_system_, Deps()).ok());
}

TEST_F(BenchTest, CeilingThatIsInterruptedLeavesNothingBehind) {
  const auto result = RunCeiling(Options(), *file_system_, InterruptedDeps());
  EXPECT_EQ(ReasonOf(result.status()), Reason::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(BenchTest, CeilingMovesEveryRecordAndLeavesNothingBehind) {
  const auto result = RunCeiling(Options(), *file_system_, Deps());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->built.records, 25'000);
  EXPECT_EQ(result->built.bytes, 2'500'000);
  EXPECT_GE(result->prebuilt.records, 25'000);
  EXPECT_GT(result->built.records_per_second(), 0);
  EXPECT_GT(result->built.latency.max, absl::ZeroDuration());
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(BenchTest, CeilingLogKeepsWhatIsAppendedInOrder) {
  const std::string path = directory_ + "/log";
  const auto log = CeilingLog::Create(*file_system_, path);
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE((*log)
                  ->Append({base::Buffer::CopyOf(base::AsBytes("ab")),
                            base::Buffer::CopyOf(base::AsBytes("c"))})
                  .ok());
  ASSERT_TRUE((*log)->Append({base::Buffer::CopyOf(base::AsBytes("d"))}).ok());
  const auto content = io::ReadFile(*file_system_, path, uint64_t{64} << 20);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(content->substr(0, 4), "abcd");
}

TEST_F(BenchTest, ProducerIntoNothingHasEveryRecordDelivered) {
  for (const Spread spread : {Spread::kSticky, Spread::kEven}) {
    Workload workload;
    workload.records = 10'000;
    workload.partitions = 4;
    workload.spread = spread;
    const auto result = RunNullProduce(workload, Deps());
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->records, 10'000);
    EXPECT_GT(result->latency.max, absl::ZeroDuration());
  }
}

}  // namespace
}  // namespace talosmq::loadgen
