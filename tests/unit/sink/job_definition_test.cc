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

TEST(JobConfigsTest, UnnamedSettingsKeepTheirDefaults) {
  JobDefinition definition;
  ASSERT_TRUE(ApplyConfigs({{"roll.records", "5"}}, definition).ok());
  EXPECT_EQ(definition.roll.records, 5);
  EXPECT_EQ(definition.roll.bytes, uint64_t{128} << 20);
  EXPECT_EQ(definition.roll.age, absl::Seconds(60));
  EXPECT_EQ(definition.on_corrupt, OnCorrupt::kFail);
}

TEST(JobConfigsTest, ValuesOutOfBoundsAreRefusedByName) {
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
                                                        {"roll.mss", "1000"},
                                                        {"on_corrupt", ""},
                                                        {"on_corrupt", "Skip"}}) {
    JobDefinition definition;
    const absl::Status applied = ApplyConfigs({{key, value}}, definition);
    EXPECT_EQ(ReasonOf(applied), Reason::kInvalidDumpJob) << key << "=" << value;
    EXPECT_NE(applied.message().find(key.c_str()), std::string::npos);
  }
}

TEST(JobConfigsTest, ConfigsReadBack) {
  const JobDefinition definition{
      .name = {},
      .topic = {},
      .target = {},
      .roll = {.bytes = 4096, .records = 7, .age = absl::Milliseconds(100)},
      .on_corrupt = OnCorrupt::kSkip};
  JobDefinition again;
  ASSERT_TRUE(ApplyConfigs(ConfigsOf(definition), again).ok());
  EXPECT_EQ(again, definition);
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
