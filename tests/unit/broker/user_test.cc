#include "base/scram.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/broker/broker_harness.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::broker {
namespace {

using testing::HasSubstr;

class UserTest : public ::testing::Test {
 protected:
  UserTest() { harness_.options().users_max = 3; }
  void SetUp() override { harness_.Start(); }
  ~UserTest() override { harness_.Stop(); }

  static base::ScramCredential Credential(base::ScramHash hash) {
    return {.salt = std::string(base::kScramSaltBytes, '.'),
            .iterations = base::kScramIterations,
            .stored_key = std::string(base::ScramKeyBytes(hash), 's'),
            .server_key = std::string(base::ScramKeyBytes(hash), 'v')};
  }
  AnswerPtr<absl::Status> Create(const std::string& name) {
    auto answer = std::make_shared<Answer<absl::Status>>();
    harness_.broker().users().Create({.name = name,
                                      .scram_sha_256 = Credential(base::ScramHash::kSha256),
                                      .scram_sha_512 = Credential(base::ScramHash::kSha512)},
                                     absl::InfiniteDuration(), WriteDown(answer));
    return answer;
  }
  absl::Status CreateNow(const std::string& name) {
    const auto answer = Create(name);
    harness_.Run();
    EXPECT_EQ(answer->calls, 1);
    return answer->value;
  }
  void DeleteNow(const std::string& name) {
    auto answer = std::make_shared<Answer<absl::Status>>();
    harness_.broker().users().Delete(name, absl::InfiniteDuration(), WriteDown(answer));
    harness_.Run();
    EXPECT_TRUE(answer->value.ok()) << answer->value;
  }
  size_t users() { return harness_.broker().topics().image()->users.size(); }

  BrokerHarness harness_;
};

TEST_F(UserTest, MoreThanTheBoundAreRefusedByName) {
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(CreateNow(name).ok());
  const absl::Status refused = CreateNow("d");
  EXPECT_EQ(ReasonOf(refused), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("user 'd': expected at most 3 users"));
  EXPECT_EQ(users(), 3u);
}

TEST_F(UserTest, AtTheBoundOneThatThereIsIsStillRefusedAsSuch) {
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(CreateNow(name).ok());
  EXPECT_THAT(std::string(CreateNow("a").message()), HasSubstr("exists already"));
}

TEST_F(UserTest, OneThatIsDeletedMakesRoom) {
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(CreateNow(name).ok());
  DeleteNow("b");
  EXPECT_TRUE(CreateNow("d").ok());
  EXPECT_FALSE(CreateNow("b").ok());
}

TEST_F(UserTest, CreationsThatFailTakeNoRoom) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(CreateNow("not a name").ok());
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(CreateNow(name).ok());
}

// The image shows none of them while the others are looked at.
TEST_F(UserTest, CreationsAtOnceDoNotPassTheBound) {
  std::vector<AnswerPtr<absl::Status>> answers;
  for (const char* name : {"a", "b", "c", "d", "e"}) answers.push_back(Create(name));
  harness_.Run();
  EXPECT_EQ(users(), 3u);
  for (const auto& answer : answers) EXPECT_EQ(answer->calls, 1);
}

// Each of those that were being made counted, though it was refused later.
TEST_F(UserTest, CreationsThatFailTakeNoRoomMeanwhile) {
  for (const char* name : {"a", "b"}) EXPECT_TRUE(CreateNow(name).ok());
  const auto refused = Create("a");
  const auto last = Create("c");
  harness_.Run();
  EXPECT_FALSE(refused->value.ok());
  EXPECT_TRUE(last->value.ok()) << last->value;
  EXPECT_EQ(users(), 3u);
}

TEST(UserOptionsTest, TheDefaultIsTheDocumentedOne) {
  EXPECT_EQ(BrokerOptions().users_max, 10'000);
}

}  // namespace
}  // namespace talosmq::broker
