#include "base/scram.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

#include <set>
#include <string>

namespace talosmq::base {
namespace {

std::string Bytes(const char* base64) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(base64, &bytes)) << base64;
  return bytes;
}

// RFC 7677 section 3: the keys that its exchange is made with.
TEST(ScramTest, KeysOfTheExampleInRfc7677) {
  const ScramCredential credential =
      MakeScramCredential(ScramHash::kSha256, "pencil", Bytes("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
  EXPECT_EQ(credential.stored_key, Bytes("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="));
  EXPECT_EQ(credential.server_key, Bytes("wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="));
}

// No RFC has an example for it; made with Python's hashlib and hmac.
TEST(ScramTest, KeysOfTheLongerHashAreThoseOfAnotherImplementation) {
  const ScramCredential credential =
      MakeScramCredential(ScramHash::kSha512, "pencil", Bytes("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
  EXPECT_EQ(credential.stored_key,
            Bytes("6AAub3065EYRmyFpM2RNwqK+eGnrkYuEWbXn19LsEmBqzu8QaCXNc1FwpnX9NhH2hK/"
                  "60dzj9DoO5DvVkOHbvg=="));
  EXPECT_EQ(credential.server_key, Bytes("jZHbYjC1aHh0/hKbxyBuGFjDrgjgKTT1esA7awWiKcRZ0o/"
                                         "0b1yWEebBeSVkkCFewf91nLDfKF24mvD5nmE6rA=="));
}

TEST(ScramTest, SecretsAreEqualWholeOrNotAtAll) {
  EXPECT_TRUE(IsEqualSecret("", ""));
  EXPECT_TRUE(IsEqualSecret("secret", "secret"));
  for (const char* other : {"", "secre", "secrets", "Secret", "secreT"}) {
    EXPECT_FALSE(IsEqualSecret("secret", other)) << other;
  }
}

TEST(ScramTest, RandomSecretsDiffer) {
  std::set<std::string> secrets;
  for (int i = 0; i < 100; ++i) secrets.insert(RandomSecret(16));
  EXPECT_EQ(secrets.size(), 100u);
  EXPECT_EQ(secrets.begin()->size(), 16u);
}

}  // namespace
}  // namespace talosmq::base
