#include "sink/job_definition.h"

#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::sink {
namespace {

TEST(JobNameTest, OnlyNamesOfPlainCharactersPass) {
  EXPECT_TRUE(CheckJobName("a.B_9-").ok());
  EXPECT_TRUE(CheckJobName(std::string(249, 'x')).ok());
  for (const std::string& name :
       std::vector<std::string>{"", ".", "..", "a/b", "a b", "ä", "a\n", std::string(250, 'x')}) {
    EXPECT_EQ(ReasonOf(CheckJobName(name)), Reason::kInvalidDumpJob) << name;
  }
}

TEST(RollLimitsTest, UnnamedLimitsKeepTheirDefaults) {
  const auto limits = ParseRollLimits({{"roll.records", "5"}});
  ASSERT_TRUE(limits.ok()) << limits.status();
  EXPECT_EQ(limits->records, 5);
  EXPECT_EQ(limits->bytes, uint64_t{128} << 20);
  EXPECT_EQ(limits->age, absl::Seconds(60));
}

TEST(RollLimitsTest, ValuesOutOfBoundsAreRefusedByName) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"roll.bytes", "4095"},
                                                        {"roll.bytes", "17179869185"},
                                                        {"roll.bytes", "99999999999999999999999"},
                                                        {"roll.records", "0"},
                                                        {"roll.records", "-1"},
                                                        {"roll.records", "1000000001"},
                                                        {"roll.ms", "99"},
                                                        {"roll.ms", "86400001"},
                                                        {"roll.ms", ""},
                                                        {"roll.ms", "1s"},
                                                        {"roll.ms", " 1000"},
                                                        {"roll.mss", "1000"}}) {
    const auto limits = ParseRollLimits({{key, value}});
    EXPECT_EQ(ReasonOf(limits.status()), Reason::kInvalidDumpJob) << key << "=" << value;
    EXPECT_NE(limits.status().message().find(key.c_str()), std::string::npos);
  }
}

TEST(RollLimitsTest, ConfigsReadBack) {
  const RollLimits limits{.bytes = 4096, .records = 7, .age = absl::Milliseconds(100)};
  EXPECT_EQ(*ParseRollLimits(RollLimitsToConfigs(limits)), limits);
}

TEST(TargetTest, EqualFoldersHaveEqualTargets) {
  EXPECT_EQ(*NormalizeTarget("file:///a//b/"), "file:///a/b");
  EXPECT_EQ(*NormalizeTarget("file:///a/b"), "file:///a/b");
  EXPECT_EQ(TargetFolder({.name = "", .topic = "", .target = "file:///a/b", .roll = {}}), "/a/b");
}

TEST(TargetTest, AnythingElseThanAnAbsoluteFolderIsRefused) {
  for (const std::string& target : std::vector<std::string>{
           "", "/a", "file:/a", "file://host/a", "file:///", "file:////", "file:///a/../b",
           "file:///./a", "file:///a%20b", "file:///a?x", "file:///a#x", "s3://a/b", "file:///a\nb",
           "file:///" + std::string(kTargetBytesMax, 'x')}) {
    EXPECT_EQ(ReasonOf(NormalizeTarget(target).status()), Reason::kInvalidDumpJob) << target;
  }
}

}  // namespace
}  // namespace talosmq::sink
