#include "base/tls_watch.h"

#include "base/log.h"
#include "support/certificate.h"
#include "support/manual_executor.h"
#include "support/temporary_directory.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <fstream>
#include <string>
#include <vector>

namespace talosmq::base {
namespace {

using support::CertifiedKey;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class TlsWatchTest : public testing::Test {
 protected:
  TlsWatchTest() { Put(first_); }

  void Put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  void Put(const CertifiedKey& pair) {
    Put(files_.ca, pair.certificate);
    Put(files_.certificate, pair.certificate);
    Put(files_.key, pair.key);
  }

  std::shared_ptr<TlsWatch> Start() {
    auto watch = TlsWatch::Start(files_, executor_);
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *watch;
  }

  /// Every look tells its outcome in the log, which the test reads.
  std::string LookTimes(int count) {
    testing::internal::CaptureStdout();
    ConfigureLog(LogLevel::kInfo, LogForm::kText);
    for (int i = 0; i < count; ++i) {
      clock_.Advance(kTlsReloadInterval);
      executor_.RunUntilIdle();
    }
    return testing::internal::GetCapturedStdout();
  }

  const CertifiedKey first_ = support::MakeCertifiedKey();
  const CertifiedKey second_ = support::MakeCertifiedKey();
  const support::TemporaryDirectory directory_;
  const TlsFiles files_{.ca = directory_.path() + "/ca.pem",
                        .certificate = directory_.path() + "/own.pem",
                        .key = directory_.path() + "/own.key"};
  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
};

TEST_F(TlsWatchTest, FileThatIsNotWhatItShouldBeRefusesTheStartByName) {
  for (const std::string& path : {files_.ca, files_.certificate, files_.key}) {
    for (const std::string& text :
         {std::string(), std::string("hunter2"), second_.key, std::string(2 << 20, 'x'),
          first_.certificate + "-----BEGIN CERTIFICATE-----\nhunter2\n"}) {
      Put(first_);
      Put(path, text);
      const auto watch = TlsWatch::Start(files_, executor_);
      EXPECT_EQ(ReasonOf(watch.status()), Reason::kInvalidConfig) << path << ": " << text;
      EXPECT_THAT(std::string(watch.status().message()),
                  AllOf(HasSubstr(path), Not(HasSubstr("hunter2"))));
    }
  }
}

TEST_F(TlsWatchTest, KeyOfAnotherCertificateChangesNothingAndIsToldOnce) {
  const auto watch = Start();
  std::vector<std::string> taken;
  ASSERT_TRUE(watch
                  ->SetListener([&taken](const TlsMaterial& material) {
                    taken.push_back(material.key);
                    return absl::OkStatus();
                  })
                  .ok());
  Put(files_.certificate, second_.certificate);
  EXPECT_EQ(LookTimes(1), "") << "one look may fall between two renames";
  EXPECT_THAT(LookTimes(1), AllOf(HasSubstr(files_.certificate), HasSubstr(files_.key)));
  EXPECT_EQ(LookTimes(5), "");
  EXPECT_EQ(watch->current()->certificate, first_.certificate);
  Put(files_.key, second_.key);
  LookTimes(1);
  EXPECT_EQ(watch->current()->certificate, second_.certificate);
  EXPECT_THAT(taken, ElementsAre(first_.key, second_.key));
}

TEST_F(TlsWatchTest, WhatTheListenerRefusesIsOfferedAgain) {
  const auto watch = Start();
  bool is_willing = true;
  ASSERT_TRUE(watch
                  ->SetListener([&is_willing](const TlsMaterial&) {
                    return is_willing ? absl::OkStatus() : absl::UnavailableError("not now");
                  })
                  .ok());
  is_willing = false;
  Put(second_);
  EXPECT_THAT(LookTimes(2), HasSubstr("not now"));
  EXPECT_EQ(watch->current()->key, first_.key);
  is_willing = true;
  LookTimes(1);
  EXPECT_EQ(watch->current()->key, second_.key);
}

// What a look found between the first call of the listener and its registration was in force for
// everybody but the listener, until the files changed once more.
TEST_F(TlsWatchTest, ChangeWhileTheListenerIsSetReachesIt) {
  const auto watch = Start();
  std::vector<std::string> taken;
  ASSERT_TRUE(watch
                  ->SetListener([this, &taken](const TlsMaterial& material) {
                    taken.push_back(material.key);
                    if (taken.size() == 1) {
                      Put(second_);
                      LookTimes(1);
                    }
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(watch->current()->key, second_.key);
  EXPECT_THAT(taken, ElementsAre(first_.key, second_.key));
}

TEST_F(TlsWatchTest, FilesThatAreGoneStayInForce) {
  const auto watch = Start();
  std::remove(files_.key.c_str());
  EXPECT_THAT(LookTimes(2), HasSubstr(files_.key));
  EXPECT_EQ(watch->current()->key, first_.key);
}

TEST_F(TlsWatchTest, NothingIsLookedAtWhenTheWatchIsGone) {
  Start().reset();
  LookTimes(1);
  EXPECT_EQ(executor_.NextTimer(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace talosmq::base
