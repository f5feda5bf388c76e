#include "base/log.h"

#include "base/check.h"

#include "gtest/gtest.h"

#include <string>

namespace talosmq::base {
namespace {

/// What reaches stdout while it lives; the log is back at its defaults afterwards.
class CapturedLog {
 public:
  CapturedLog(LogLevel level_min, LogForm form) {
    testing::internal::CaptureStdout();
    ConfigureLog(level_min, form);
  }
  std::string Take() {
    ConfigureLog(LogLevel::kInfo, LogForm::kText);
    return testing::internal::GetCapturedStdout();
  }
};

TEST(LogTest, LinesBelowTheLevelAreNotWritten) {
  CapturedLog log(LogLevel::kWarning, LogForm::kText);
  LogInfo("test", "quiet");
  LogWarning("test", "loud ", 7);
  const std::string written = log.Take();
  EXPECT_EQ(written.find("quiet"), std::string::npos) << written;
  EXPECT_NE(written.find("test: loud 7\n"), std::string::npos) << written;
}

TEST(LogTest, JsonLinesKeepOutsideTextInItsPlace) {
  CapturedLog log(LogLevel::kInfo, LogForm::kJson);
  LogError("test", "quote \" line\nbreak \\ {}");
  const std::string written = log.Take();
  EXPECT_NE(written.find(R"("area":"test","message":"quote \" line\u000abreak \\ {}"})"
                         "\n"),
            std::string::npos)
      << written;
}

TEST(LogTest, TheJournalIsToldTheLevelAndNoTime) {
  CapturedLog log(LogLevel::kInfo, LogForm::kJournal);
  LogInfo("test", "calm");
  LogError("test", "loud");
  EXPECT_EQ(log.Take(), "<6>test: calm\n<3>test: loud\n");
}

TEST(CheckDeathTest, FailureTellsPlaceConditionAndWords) {
  const int found = 3;
  EXPECT_DEATH(TALOSMQ_CHECK(found == 4) << "found=" << found, "log_test.cc.*found == 4.*found=3");
}

TEST(CheckTest, WordsOfACheckThatHoldsAreNotEvaluated) {
  int evaluated = 0;
  TALOSMQ_CHECK(evaluated == 0) << ++evaluated;
  EXPECT_EQ(evaluated, 0);
}

}  // namespace
}  // namespace talosmq::base
