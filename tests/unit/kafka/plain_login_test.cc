// Passwords of PLAIN, which take long to look at, one after the other.

#include "kafka/login.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"

#include "gtest/gtest.h"
#include "unit/kafka/fake_services.h"

#include <future>
#include <memory>
#include <string>

namespace talosmq::kafka {
namespace {

class PlainLoginTest : public testing::Test {
 protected:
  PlainLoginTest() {
    topics_.AddUser("alice", "correct horse");
    EXPECT_EQ(login_->Choose("PLAIN", 1), LoginStep::Kind::kNext);
  }
  ~PlainLoginTest() override { loop_->Stop(); }

  /// The right password; how it went comes when the verifier has run.
  std::future<LoginStep::Kind> Take() {
    auto kind = std::make_shared<std::promise<LoginStep::Kind>>();
    std::future<LoginStep::Kind> known = kind->get_future();
    const std::string token("\0alice\0correct horse", 20);
    login_->Take(token, cancellation_,
                 [kind](const LoginStep& step) { kind->set_value(step.kind); });
    return known;
  }

  FakeTopics topics_;
  CountingRegistry metrics_;
  const FrontMetrics front_metrics_{metrics_};
  const support::ManualClock clock_;
  support::ManualExecutor verifier_{clock_};
  const std::shared_ptr<Loop> loop_ = std::make_shared<Loop>("loop");
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();
  const std::shared_ptr<Login> login_ = std::make_shared<Login>(
      Login::Channel::kEncrypted,
      Login::Dependencies{
          .topics = topics_, .loop = loop_, .verifier = verifier_, .metrics = front_metrics_});
};

TEST_F(PlainLoginTest, APasswordIsLookedAtWhileItsClientIsThere) {
  std::future<LoginStep::Kind> kind = Take();
  verifier_.RunUntilIdle();
  EXPECT_EQ(kind.get(), LoginStep::Kind::kNext);
  EXPECT_EQ(metrics_.ValueOf("talosmq_kafka_logins_total{mechanism=PLAIN,result=done}"), 1);
}

// Clients that had gone kept those that had come after them waiting.
TEST_F(PlainLoginTest, APasswordWhoseClientHasGoneIsNot) {
  std::future<LoginStep::Kind> kind = Take();
  cancellation_->Cancel();
  verifier_.RunUntilIdle();
  EXPECT_EQ(kind.get(), LoginStep::Kind::kRefused);
}

TEST_F(PlainLoginTest, APasswordThatFindsNoPlaceIsNot) {
  verifier_.set_queue_tasks_max(0);
  EXPECT_EQ(Take().get(), LoginStep::Kind::kBusy);
  EXPECT_EQ(metrics_.ValueOf("talosmq_kafka_logins_total{mechanism=PLAIN,result=busy}"), 1);
  EXPECT_EQ(metrics_.ValueOf("talosmq_kafka_logins_total{mechanism=PLAIN,result=refused}"), 0);
}

}  // namespace
}  // namespace talosmq::kafka
