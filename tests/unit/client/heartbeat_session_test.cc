#include "client/heartbeat_session.h"

#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// The other end of a heartbeat stream.
struct StreamEnd {
  std::string address;
  std::shared_ptr<HeartbeatObserver> observer;
  std::vector<v1::HeartbeatsRequest> written;
};

/// Opens streams whose other ends the test plays; nothing else.
class StreamTransport final : public Transport {
 public:
  void Call(CallRequest /*request*/, Reply done) override {
    done(MakeError(Reason::kUnimplemented, "scripted"));
  }
  std::unique_ptr<ProduceStream> OpenProduce(
      const std::string& /*address*/, std::shared_ptr<ProduceObserver> /*observer*/) override {
    return nullptr;
  }
  std::unique_ptr<FetchStream> OpenFetch(const std::string& /*address*/,
                                         std::shared_ptr<FetchObserver> /*observer*/) override {
    return nullptr;
  }
  std::unique_ptr<HeartbeatStream> OpenHeartbeats(
      const std::string& address, std::shared_ptr<HeartbeatObserver> observer) override {
    ends.push_back(std::make_shared<StreamEnd>());
    ends.back()->address = address;
    ends.back()->observer = std::move(observer);
    return std::make_unique<Stream>(ends.back());
  }
  void ShutDown() override {}

  std::vector<std::shared_ptr<StreamEnd>> ends;

 private:
  class Stream final : public HeartbeatStream {
   public:
    explicit Stream(std::shared_ptr<StreamEnd> end) : end_(std::move(end)) {}
    void Write(v1::HeartbeatsRequest heartbeats) override {
      end_->written.push_back(std::move(heartbeats));
    }

   private:
    const std::shared_ptr<StreamEnd> end_;
  };
};

class HeartbeatSessionTest : public ::testing::Test {
 protected:
  ~HeartbeatSessionTest() override { executor_.DropAll(); }

  /// outcomes_ gets "MEMBER GENERATION" or "MEMBER REASON".
  void Send(const std::string& member, const std::string& address = "a:1",
            absl::Duration timeout = absl::Seconds(30)) {
    v1::HeartbeatRequest request;
    request.set_member_id(member);
    sessions_.Send(
        {.address = address, .method = {}, .body = request.SerializeAsString(), .timeout = timeout},
        [this, member](const absl::StatusOr<std::string>& reply) {
          outcomes_.push_back(member.substr(0, 10) + " " + Describe(reply));
        });
  }
  static std::string Describe(const absl::StatusOr<std::string>& reply) {
    if (!reply.ok()) return std::string(ReasonName(ReasonOf(reply.status())));
    v1::HeartbeatResponse response;
    EXPECT_TRUE(response.ParseFromString(*reply));
    return std::to_string(response.generation());
  }
  void Run() { executor_.RunUntilIdle(); }

  StreamEnd& End() { return *net_.ends.back(); }
  std::vector<std::string> Members(size_t message) {
    std::vector<std::string> members;
    for (const auto& numbered : End().written.at(message).heartbeats()) {
      members.push_back(numbered.heartbeat().member_id());
    }
    return members;
  }
  void Written() {
    End().observer->OnWritten();
    Run();
  }
  static v1::HeartbeatAnswer Answer(uint64_t number, int32_t generation) {
    v1::HeartbeatAnswer answer;
    answer.set_number(number);
    answer.mutable_response()->set_generation(generation);
    return answer;
  }
  uint64_t NumberOf(size_t message, int index) {
    return End().written.at(message).heartbeats(index).number();
  }
  void Tell(const std::vector<v1::HeartbeatAnswer>& answers) {
    v1::HeartbeatsResponse message;
    for (const v1::HeartbeatAnswer& answer : answers) *message.add_answers() = answer;
    End().observer->OnAnswers(message);
    Run();
  }
  void Break(Reason reason = Reason::kUnavailable) {
    std::exchange(End().observer, nullptr)->OnClosed(MakeError(reason, "scripted"));
    Run();
  }

  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  StreamTransport net_;
  std::vector<std::string> outcomes_;
  HeartbeatSessions sessions_{net_, executor_};
};

TEST_F(HeartbeatSessionTest, TheEndOfTheStreamIsToldToEachThatWaits) {
  Send("a");
  Run();
  Send("b");
  Break();
  EXPECT_THAT(outcomes_, ElementsAre("a Unavailable", "b Unavailable"));
}

TEST_F(HeartbeatSessionTest, AStreamThatEndsForAWrongRequestRefusesNobodyForGood) {
  Send("a");
  Send("b");
  Run();
  Break(Reason::kInvalidArgument);
  EXPECT_THAT(outcomes_, ElementsAre("a Unavailable", "b Unavailable"));
}

TEST_F(HeartbeatSessionTest, AClientThatIsClosedSaysSo) {
  Send("a");
  Run();
  Break(Reason::kClosed);
  EXPECT_THAT(outcomes_, ElementsAre("a Closed"));
}

TEST_F(HeartbeatSessionTest, OneThatIsNotUtf8IsRefusedAlone) {
  Send("\xff");
  Send("b");
  Run();
  EXPECT_THAT(outcomes_, ElementsAre("\xff InvalidArgument"));
  ASSERT_THAT(End().written, SizeIs(1));
  EXPECT_THAT(Members(0), ElementsAre("b"));
}

TEST_F(HeartbeatSessionTest, AfterTheEndAnotherStreamIsOpened) {
  Send("a");
  Run();
  Break();
  Send("a");
  Run();
  ASSERT_THAT(net_.ends, SizeIs(2));
  Tell({Answer(NumberOf(0, 0), 3)});
  EXPECT_THAT(outcomes_, ElementsAre("a Unavailable", "a 3"));
}

TEST_F(HeartbeatSessionTest, OneThatIsNotAnsweredInTimeEndsAlone) {
  Send("a", "a:1", absl::Seconds(1));
  Send("b");
  Run();
  clock_.Advance(absl::Seconds(1));
  Run();
  EXPECT_THAT(outcomes_, ElementsAre("a DeadlineExceeded"));
  Tell({Answer(NumberOf(0, 0), 3), Answer(NumberOf(0, 1), 4)});
  EXPECT_THAT(outcomes_, ElementsAre("a DeadlineExceeded", "b 4"));
}

TEST_F(HeartbeatSessionTest, WhatEndedBeforeItsTurnIsNotWritten) {
  Send("a");
  Run();
  Send("late", "a:1", absl::Seconds(1));
  Send("b");
  clock_.Advance(absl::Seconds(1));
  Run();
  Written();
  ASSERT_THAT(End().written, SizeIs(2));
  EXPECT_THAT(Members(1), ElementsAre("b"));
}

TEST_F(HeartbeatSessionTest, OneThatNoServerTakesIsRefusedAlone) {
  Send(std::string(size_t{1} << 20, 'm'));
  Send("b");
  Run();
  EXPECT_THAT(outcomes_, ElementsAre("mmmmmmmmmm InvalidArgument"));
  EXPECT_THAT(Members(0), ElementsAre("b"));
}

TEST_F(HeartbeatSessionTest, ARefusalKeepsItsReason) {
  Send("a");
  Run();
  v1::HeartbeatAnswer refusal;
  refusal.set_number(NumberOf(0, 0));
  refusal.mutable_error()->set_reason(v1::REASON_UNKNOWN_MEMBER);
  Tell({refusal});
  EXPECT_THAT(outcomes_, ElementsAre("a UnknownMember"));
}

TEST_F(HeartbeatSessionTest, AnAnswerThatNobodyWaitsForIsNothing) {
  Send("a");
  Run();
  Tell({Answer(NumberOf(0, 0) + 1, 9)});
  EXPECT_THAT(outcomes_, IsEmpty());
  Tell({Answer(NumberOf(0, 0), 3), Answer(NumberOf(0, 0), 4)});
  EXPECT_THAT(outcomes_, ElementsAre("a 3"));
}

TEST_F(HeartbeatSessionTest, WhatIsSentInOneGoSharesAMessage) {
  Send("a");
  Send("b");
  Run();
  ASSERT_THAT(End().written, SizeIs(1));
  EXPECT_THAT(Members(0), ElementsAre("a", "b"));
  Tell({Answer(NumberOf(0, 1), 2), Answer(NumberOf(0, 0), 1)});
  EXPECT_THAT(outcomes_, ElementsAre("b 2", "a 1"));
}

TEST_F(HeartbeatSessionTest, WhatComesWhileAMessageIsWrittenGoesWithTheNext) {
  Send("a");
  Run();
  Send("b");
  Run();
  Send("c");
  Run();
  EXPECT_THAT(End().written, SizeIs(1));
  Written();
  ASSERT_THAT(End().written, SizeIs(2));
  EXPECT_THAT(Members(1), ElementsAre("b", "c"));
}

TEST_F(HeartbeatSessionTest, AMessageHasABoundUnlessItIsOne) {
  const std::string large(HeartbeatSession::kMessageBytesMax, 'm');
  Send(large);
  Send(large);
  Send("c");
  Run();
  Written();
  Written();
  ASSERT_THAT(End().written, SizeIs(3));
  EXPECT_THAT(Members(0), SizeIs(1));
  EXPECT_THAT(Members(1), SizeIs(1));
  EXPECT_THAT(Members(2), ElementsAre("c"));
}

TEST_F(HeartbeatSessionTest, AMessageHasNoMoreHeartbeatsThanAServerRefusesAtOnce) {
  constexpr int kMax = HeartbeatSession::kMessageHeartbeatsMax;
  for (int i = 0; i < kMax + 1; ++i) Send("m");
  Run();
  Written();
  ASSERT_THAT(End().written, SizeIs(2));
  EXPECT_EQ(End().written[0].heartbeats_size(), kMax);
  EXPECT_EQ(End().written[1].heartbeats_size(), 1);
}

TEST_F(HeartbeatSessionTest, EachServerHasAStreamOfItsOwn) {
  Send("a", "a:1");
  Send("b", "b:2");
  Send("c", "a:1");
  Run();
  ASSERT_THAT(net_.ends, SizeIs(2));
  EXPECT_EQ(net_.ends[0]->address, "a:1");
  EXPECT_EQ(net_.ends[0]->written.at(0).heartbeats_size(), 2);
  EXPECT_EQ(net_.ends[1]->written.at(0).heartbeats_size(), 1);
}

}  // namespace
}  // namespace talosmq::client
