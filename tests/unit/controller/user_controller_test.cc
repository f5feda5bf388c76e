#include "controller/user_controller.h"

#include "talosmq/error.h"

#include "unit/controller/topic_world.h"
#include <gmock/gmock.h>

namespace talosmq::controller {
namespace {

using metadata::Revision;
using testing::HasSubstr;

class UserControllerTest : public ::testing::Test {
 protected:
  static std::string Salt(std::string text) {
    text.resize(base::kScramSaltBytes, '.');
    return text;
  }
  static NewUser User(const std::string& name, const std::string& secret = "secret") {
    return {.name = name,
            .scram_sha_256 = {.salt = Salt(name),
                              .iterations = base::kScramIterations,
                              .stored_key = std::string(32, 's'),
                              .server_key = std::string(32, 'v')},
            .scram_sha_512 = {.salt = Salt(name),
                              .iterations = base::kScramIterations,
                              .stored_key = std::string(64, 's'),
                              .server_key = std::string(64, 'v')},
            .login_secret = secret};
  }
  absl::Status Create(NewUser user) {
    return world_
        .Ask<absl::StatusOr<Revision>>(
            [&](auto done) { users_.Create(std::move(user), std::move(done)); })
        ->status();
  }
  absl::Status Delete(const std::string& name) {
    return world_
        .Ask<absl::StatusOr<Revision>>([&](auto done) { users_.Delete(name, std::move(done)); })
        ->status();
  }
  /// Refused, and nobody is there afterwards.
  std::string Refused(NewUser user) {
    const absl::Status status = Create(std::move(user));
    EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument) << status;
    EXPECT_TRUE(world_.Image()->users.empty());
    return std::string(status.message());
  }

  TopicWorld world_{1};
  support::ManualClock clock_;
  static constexpr int64_t kUsersMax = 4;
  UserController users_{{.store = world_.faults(),
                         .executor = world_.executor(),
                         .clock = clock_,
                         .users_max = kUsersMax}};
};

TEST_F(UserControllerTest, NamesThatNoUserMayHaveAreRefused) {
  for (const std::string& name :
       {std::string(), std::string(129, 'a'), std::string("a b"), std::string("a,b"),
        std::string("a/b"), std::string("a=b"), std::string("\xc3\xa4"), std::string("a\0b", 3)}) {
    EXPECT_THAT(Refused(User(name)), HasSubstr("user name"));
  }
  EXPECT_TRUE(Create(User("first.last_9-@example.com")).ok());
}

TEST_F(UserControllerTest, CredentialsThatCheckNothingAreRefused) {
  NewUser user = User("alice");
  user.scram_sha_256.salt = "short";
  EXPECT_THAT(Refused(user), HasSubstr("a salt of 16 bytes, found 5"));
  for (const int32_t iterations : {0, -1, 4096, 16'383, 16'385, 65'536}) {
    user = User("alice");
    user.scram_sha_512.iterations = iterations;
    EXPECT_THAT(Refused(user), HasSubstr("16384 iterations"));
  }
  user = User("alice");
  user.scram_sha_256.stored_key = "";
  EXPECT_THAT(Refused(user), HasSubstr("keys of 32 bytes"));
  user = User("alice");
  user.scram_sha_512.server_key = std::string(32, 'v');
  EXPECT_THAT(Refused(user), HasSubstr("keys of 64 bytes"));
}

TEST_F(UserControllerTest, AUserThatThereIsIsNotReplaced) {
  ASSERT_TRUE(Create(User("alice")).ok());
  NewUser other = User("alice");
  other.scram_sha_256.salt = Salt("another");
  const absl::Status refused = Create(other);
  EXPECT_EQ(ReasonOf(refused), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("'alice' exists already"));
  EXPECT_EQ(world_.Image()->users.at("alice")->scram_sha_256.salt, Salt("alice"));
}

TEST_F(UserControllerTest, AUserThatThereIsNotCannotBeDeleted) {
  EXPECT_EQ(ReasonOf(Delete("nobody")), Reason::kInvalidArgument);
  ASSERT_TRUE(Create(User("alice")).ok());
  EXPECT_TRUE(Delete("alice").ok());
  EXPECT_EQ(ReasonOf(Delete("alice")), Reason::kInvalidArgument);
  EXPECT_TRUE(world_.Image()->users.empty());
}

TEST_F(UserControllerTest, AUserMadeAnewHasAnotherRevision) {
  ASSERT_TRUE(Create(User("alice")).ok());
  const Revision first = world_.Image()->users.at("alice")->revision;
  ASSERT_TRUE(Delete("alice").ok());
  ASSERT_TRUE(Create(User("alice")).ok());
  EXPECT_NE(world_.Image()->users.at("alice")->revision, first);
}

// With another one the salts of users that there are not would change, and tell who is there.
TEST_F(UserControllerTest, TheLoginSecretOfTheFirstUserStays) {
  EXPECT_EQ(world_.Image()->login_secret, "");
  ASSERT_TRUE(Create(User("alice", "first")).ok());
  ASSERT_TRUE(Create(User("bob", "second")).ok());
  ASSERT_TRUE(Delete("alice").ok());
  ASSERT_TRUE(Delete("bob").ok());
  ASSERT_TRUE(Create(User("carol", "third")).ok());
  EXPECT_EQ(world_.Image()->login_secret, "first");
}

TEST_F(UserControllerTest, UsersMadeAtOnceAreAllThere) {
  int made = 0;
  for (const char* name : {"alice", "bob", "carol"}) {
    users_.Create(User(name), [&](const absl::StatusOr<Revision>& revision) {
      EXPECT_TRUE(revision.ok()) << revision.status();
      ++made;
    });
  }
  world_.Run();
  EXPECT_EQ(made, 3);
  EXPECT_EQ(world_.Image()->users.size(), 3u);
}

TEST_F(UserControllerTest, OfUsersMadeAtOnceNoneIsTooMany) {
  int64_t made = 0;
  for (int i = 0; i < 2 * kUsersMax; ++i) {
    users_.Create(User("user" + std::to_string(i)),
                  [&](const absl::StatusOr<Revision>& revision) { made += revision.ok() ? 1 : 0; });
  }
  world_.Run();
  EXPECT_EQ(made, kUsersMax);
  EXPECT_EQ(world_.Image()->users.size(), size_t{kUsersMax});
  EXPECT_THAT(std::string(Create(User("another")).message()), HasSubstr("at most 4 users"));
  EXPECT_TRUE(Delete("user0").ok());
  EXPECT_TRUE(Create(User("another")).ok());
}

TEST_F(UserControllerTest, ALostReplyIsResolved) {
  world_.faults().FailCommit(1, support::CommitFault::kLostReply);
  EXPECT_TRUE(Create(User("alice")).ok());
  EXPECT_TRUE(world_.Image()->users.contains("alice"));
}

}  // namespace
}  // namespace talosmq::controller
