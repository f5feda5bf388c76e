#include "kafka/scram_exchange.h"

#include "gtest/gtest.h"
#include "unit/kafka/scram_client.h"

#include <string>
#include <string_view>

namespace talosmq::kafka {
namespace {

constexpr int32_t kIterations = 4096;
const std::string kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

base::ScramCredential CredentialOf(base::ScramHash hash, std::string_view password) {
  return base::MakeScramCredential(
      hash, password, ScramClient::FromBase64("W22ZaJ0SNY7soEsUEjb6gQ=="), kIterations);
}

/// What the server answers last to that client; empty: it refuses.
std::string LastAnswerTo(const ScramClient& client) {
  ScramExchange exchange(client.hash, kServerNonce);
  if (!exchange.TakeFirst(client.First())) return "";
  const std::string challenge = exchange.Challenge(CredentialOf(client.hash, "correct horse"));
  return exchange.TakeFinal(client.Final(challenge)).value_or("");
}

struct Example {
  base::ScramHash hash;
  const char* proof;
  const char* answer;
};

// The exchange of RFC 7677 section 3, and the same with the longer hash as Python makes it.
TEST(ScramExchangeTest, TheExampleInRfc7677GoesThrough) {
  for (const Example& example :
       {Example{base::ScramHash::kSha256, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
        Example{base::ScramHash::kSha512,
                "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwn"
                "YPJQ==",
                "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2r"
                "R7N7Zw=="}}) {
    ScramExchange exchange(example.hash, kServerNonce);
    EXPECT_EQ(exchange.TakeFirst("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), "user");
    EXPECT_EQ(exchange.Challenge(CredentialOf(example.hash, "pencil")),
              "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
              "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    const std::string last = base::StrCat(
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=", example.proof);
    EXPECT_EQ(exchange.TakeFinal(last), example.answer);
  }
}

TEST(ScramExchangeTest, FirstMessagesThatAreNoneAreRefused) {
  for (const std::string_view message :
       {"", "n", "n,", "n,,", "n,,n=alice", "n,,n=,r=abc", "n,,r=abc,n=alice", "n,,n=alice,r=",
        "n,,n=alice,r=a\x01b", "n,,n=a=b,r=abc", "n,,n=a=2,r=abc", "n,,m=must,n=alice,r=abc",
        "x,,n=alice,r=abc", "n,b=alice,n=alice,r=abc", "n=alice,r=abc", ",,n=alice,r=abc"}) {
    EXPECT_FALSE(ScramExchange(base::ScramHash::kSha256, kServerNonce).TakeFirst(message))
        << message;
  }
}

// What this server does not have is not taken for what it has.
TEST(ScramExchangeTest, AChannelThatIsToBeBoundIsRefused) {
  EXPECT_EQ(LastAnswerTo({.gs2_header = "p=tls-unique,,"}), "");
}

// Who stands between has told the client that there is no binding, and us that it wants none.
TEST(ScramExchangeTest, AHeaderThatWasChangedOnItsWayIsRefused) {
  EXPECT_EQ(LastAnswerTo({.gs2_header = "n,,", .final_header = "y,,"}), "");
  EXPECT_EQ(LastAnswerTo({.gs2_header = "n,,", .final_header = "p=tls-unique,,"}), "");
  EXPECT_EQ(LastAnswerTo({.gs2_header = "y,,", .final_header = "n,,"}), "");
}

TEST(ScramExchangeTest, AClientThatCouldBindTheChannelIsTaken) {
  EXPECT_NE(LastAnswerTo({.gs2_header = "y,,"}), "");
}

TEST(ScramExchangeTest, ToActForAnotherUserIsRefused) {
  EXPECT_EQ(LastAnswerTo({.gs2_header = "n,a=bob,"}), "");
  EXPECT_NE(LastAnswerTo({.gs2_header = "n,a=alice,"}), "");
}

TEST(ScramExchangeTest, AWrongPasswordIsRefused) {
  EXPECT_EQ(LastAnswerTo({.password = "correct horsf"}), "");
  EXPECT_EQ(LastAnswerTo({.password = ""}), "");
  EXPECT_NE(LastAnswerTo({}), "");
  EXPECT_NE(LastAnswerTo({.hash = base::ScramHash::kSha512}), "");
}

TEST(ScramExchangeTest, AnotherNonceThanTheServersIsRefused) {
  const std::string own = ScramClient().nonce;
  for (const std::string& nonce :
       {own, kServerNonce, own + kServerNonce + "x", own + "x" + kServerNonce}) {
    EXPECT_EQ(LastAnswerTo({.final_nonce = nonce}), "") << nonce;
  }
  EXPECT_NE(LastAnswerTo({.final_nonce = own + kServerNonce}), "");
}

TEST(ScramExchangeTest, TheNonceThatOldLibrdkafkaSendsIsTaken) {
  const std::string own = ScramClient().nonce;
  EXPECT_NE(LastAnswerTo({.final_nonce = own + own + kServerNonce}), "");
  EXPECT_EQ(LastAnswerTo({.final_nonce = own + own + own + kServerNonce}), "");
  EXPECT_EQ(LastAnswerTo({.final_nonce = own + own}), "");
}

TEST(ScramExchangeTest, WhatWasHeardOfAnotherExchangeIsRefused) {
  const ScramClient client;
  ScramExchange first(client.hash, "one");
  ScramExchange second(client.hash, "two");
  const base::ScramCredential credential = CredentialOf(client.hash, client.password);
  ASSERT_TRUE(first.TakeFirst(client.First()));
  ASSERT_TRUE(second.TakeFirst(client.First()));
  const std::string heard = client.Final(first.Challenge(credential));
  second.Challenge(credential);
  EXPECT_TRUE(first.TakeFinal(heard));
  EXPECT_FALSE(second.TakeFinal(heard));
}

TEST(ScramExchangeTest, FinalMessagesThatAreNoneAreRefused) {
  const ScramClient client;
  ScramExchange exchange(client.hash, kServerNonce);
  ASSERT_TRUE(exchange.TakeFirst(client.First()));
  const std::string sound =
      client.Final(exchange.Challenge(CredentialOf(client.hash, client.password)));
  ASSERT_TRUE(exchange.TakeFinal(sound));
  for (size_t size = 0; size < sound.size(); ++size) {
    EXPECT_FALSE(exchange.TakeFinal(sound.substr(0, size))) << size;
    std::string changed = sound;
    changed[size] = static_cast<char>(changed[size] ^ 1);
    EXPECT_FALSE(exchange.TakeFinal(changed)) << changed;
  }
  EXPECT_FALSE(exchange.TakeFinal(sound + "AAAA"));
}

TEST(ScramExchangeTest, NamesMayHaveCommasAndEqualsSigns) {
  ScramExchange exchange(base::ScramHash::kSha256, kServerNonce);
  EXPECT_EQ(exchange.TakeFirst("n,,n=a=2Cb=3Dc,r=abc,ext=1"), "a,b=c");
}

}  // namespace
}  // namespace talosmq::kafka
