#include "client/client_core.h"
#include "client/connect.h"
#include "client/option_checks.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "unit/client/scripted_transport.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talosmq::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kAnyMethod = "/talosmq.v1.ClusterService/GetServerInfo";

class NoRandom final : public base::Random {
 public:
  uint64_t Next() override { return 0; }
};

class CallFailoverTest : public ::testing::Test {
 protected:
  CallFailoverTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    core_ = std::make_unique<ClientCore>(
        ClientOptions{
            .server = "a:1,b:2,c:3",
            .on_connection = [this](const absl::Status& status) { told_.push_back(status); }},
        std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = clock_, .random = random_});
  }

  absl::Status Call(CallPolicy policy) {
    absl::Status status = absl::UnknownError("not called");
    core_->Call(kAnyMethod, "", policy, [&](const auto& body) { status = body.status(); });
    executor_.RunUntilIdle();
    return status;
  }
  std::string Asked() {
    std::string all;
    for (const auto& [address, method] : net_->calls) all += address.substr(0, 1);
    net_->calls.clear();
    return all;
  }

  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  NoRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::vector<absl::Status> told_;  ///< By on_connection.
  std::unique_ptr<ClientCore> core_;
};

TEST_F(CallFailoverTest, AQuestionGoesOnToTheNextServerAndStaysThere) {
  net_->unreachable = {"a:1", "b:2"};
  EXPECT_TRUE(Call(CallPolicy::kAnyServer).ok());
  EXPECT_EQ(Asked(), "abc");
  EXPECT_TRUE(Call(CallPolicy::kAnyServer).ok());
  EXPECT_EQ(Asked(), "c");
}

TEST_F(CallFailoverTest, AHeartbeatGoesOnToTheNextServerLikeAQuestion) {
  net_->unreachable = {"a:1"};
  absl::Status status;
  core_->Call(HeartbeatsAsCalls::kMethod, "", CallPolicy::kHeartbeat,
              [&](const auto& body) { status = body.status(); });
  executor_.RunUntilIdle();
  EXPECT_EQ(ReasonOf(status), Reason::kUnimplemented) << "the second one's answer";
  EXPECT_EQ(Asked(), "ab");
}

TEST_F(CallFailoverTest, HeartbeatsOfOneStreamThatBreaksGoOnToTheNextServerTogether) {
  net_->unreachable = {"a:1"};
  std::vector<Reason> reasons;
  for (int member = 0; member < 2; ++member) {
    core_->Call(HeartbeatsAsCalls::kMethod, "", CallPolicy::kHeartbeat,
                [&](const auto& body) { reasons.push_back(ReasonOf(body.status())); });
  }
  executor_.RunUntilIdle();
  EXPECT_THAT(reasons, ElementsAre(Reason::kUnimplemented, Reason::kUnimplemented));
  EXPECT_EQ(Asked(), "abb") << "the stream to the first one breaks once";
}

TEST_F(CallFailoverTest, AServerIsNotAskedToWaitUntilItIsTakenForDead) {
  EXPECT_TRUE(Call(CallPolicy::kAnyServer).ok());
  EXPECT_GE(net_->timeouts.back(), core_->answer_wait_max());
  EXPECT_LT(core_->answer_wait_max(), core_->options().request_timeout);
}

TEST_F(CallFailoverTest, TheErrorNamesEveryServerThatWasTried) {
  net_->unreachable = {"a:1", "b:2", "c:3"};
  const absl::Status status = Call(CallPolicy::kAnyServer);
  EXPECT_EQ(ReasonOf(status), Reason::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("a:1"), HasSubstr("b:2"), HasSubstr("c:3")));
}

TEST_F(CallFailoverTest, ASilentServerIsLeftForTheNextOneSoonAndTheLastHasAllTheTime) {
  net_->unreachable = {"a:1", "b:2", "c:3"};
  Call(CallPolicy::kAnyServer).IgnoreError();
  EXPECT_THAT(net_->timeouts, ElementsAre(absl::Seconds(5), absl::Seconds(5), absl::Seconds(30)));
}

TEST_F(CallFailoverTest, AConnectionThatNeverWasIsNotLost) {
  net_->unreachable = {"a:1", "b:2", "c:3"};
  EXPECT_FALSE(Call(CallPolicy::kAnyServer).ok());
  net_->unreachable = {};
  EXPECT_TRUE(Call(CallPolicy::kAnyServer).ok());
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(CallFailoverTest, LossAndReturnAreToldOnce) {
  EXPECT_TRUE(Call(CallPolicy::kAnyServer).ok());
  net_->unreachable = {"a:1", "b:2"};
  EXPECT_TRUE(Call(CallPolicy::kAnyServer).ok());
  EXPECT_THAT(told_, IsEmpty());  // Another server answered: nothing is lost.
  net_->unreachable = {"a:1", "b:2", "c:3"};
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Call(CallPolicy::kAnyServer).ok());
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_THAT(std::string(told_[0].message()), HasSubstr("c:3"));
  net_->unreachable = {};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Call(CallPolicy::kAnyServer).ok());
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_TRUE(told_[1].ok());
}

TEST_F(CallFailoverTest, AChangeIsSentOnceAndTheNextOneElsewhere) {
  net_->unreachable = {"a:1"};
  EXPECT_EQ(ReasonOf(Call(CallPolicy::kOnce)), Reason::kUnavailable);
  EXPECT_EQ(Asked(), "a");
  EXPECT_TRUE(Call(CallPolicy::kOnce).ok());
  EXPECT_EQ(Asked(), "b");
}

TEST_F(CallFailoverTest, AServersOwnErrorIsAnAnswer) {
  net_->refusals[std::string(kAnyMethod)] = {Reason::kInvalidConfig};
  EXPECT_EQ(ReasonOf(Call(CallPolicy::kAnyServer)), Reason::kInvalidConfig);
  EXPECT_EQ(Asked(), "a");
}

TEST(ConnectTest, WrongOptionsAreToldBeforeAnythingIsAsked) {
  auto transport = std::make_unique<ScriptedTransport>();
  const auto client = ConnectWithTransport(std::move(transport), {.server = "nowhere"});
  EXPECT_EQ(ReasonOf(client.status()), Reason::kInvalidArgument);
}

TEST(ConnectTest, AnotherProtocolVersionIsToldWithBoth) {
  auto transport = std::make_unique<ScriptedTransport>();
  transport->protocol_version_min = 7;
  const auto client = ConnectWithTransport(std::move(transport), {.server = "a:1"});
  EXPECT_EQ(ReasonOf(client.status()), Reason::kUnsupportedVersion);
  EXPECT_THAT(std::string(client.status().message()), AllOf(HasSubstr("7 to 7"), HasSubstr("1")));
}

TEST(ConnectTest, NobodyThereIsToldWithTheAddress) {
  auto transport = std::make_unique<ScriptedTransport>();
  transport->unreachable = {"a:1"};
  const auto client = ConnectWithTransport(std::move(transport), {.server = "a:1"});
  EXPECT_EQ(ReasonOf(client.status()), Reason::kUnavailable);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("a:1"));
}

}  // namespace
}  // namespace talosmq::client
