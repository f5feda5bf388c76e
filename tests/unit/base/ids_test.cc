#include "talosmq/ids.h"

#include "base/random.h"
#include "base/text.h"

#include "gtest/gtest.h"

#include <string>

namespace talosmq {
namespace {

constexpr std::string_view kText = "00112233-4455-6677-8899-aabbccddeeff";

TEST(TopicIdTest, TextComesBack) {
  const auto id = TopicId::Parse(kText);
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->ToString(), kText);
  EXPECT_EQ(id->bytes().substr(0, 2), std::string_view("\x00\x11", 2));
}

TEST(TopicIdTest, RawBytesComeBack) {
  const std::string raw(16, '\x7f');
  const auto id = TopicId::FromBytes(raw);
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->bytes(), raw);
  EXPECT_FALSE(TopicId::FromBytes(raw.substr(1)).has_value());
  EXPECT_FALSE(TopicId::FromBytes(raw + "x").has_value());
}

TEST(TopicIdTest, OtherTextsAreNotIds) {
  EXPECT_FALSE(TopicId::Parse("").has_value());
  EXPECT_FALSE(TopicId::Parse("00112233-4455-6677-8899-AABBCCDDEEFF").has_value());
  EXPECT_FALSE(TopicId::Parse("00112233445566778899aabbccddeeff").has_value());
  EXPECT_FALSE(TopicId::Parse("00112233-4455-6677-8899-aabbccddeef").has_value());
  EXPECT_FALSE(TopicId::Parse("00112233-4455-6677-8899-aabbccddeefg").has_value());
  EXPECT_FALSE(TopicId::Parse("001122334-455-6677-8899-aabbccddeeff").has_value());
  EXPECT_FALSE(TopicId::Parse("../../../../../../../../etc/passwd-1").has_value());
}

TEST(TopicIdTest, NilIsTheDefaultAlone) {
  EXPECT_TRUE(TopicId().is_nil());
  EXPECT_FALSE(TopicId::Parse(kText)->is_nil());
}

TEST(TopicPartitionTest, NameIsThatOfTheFolder) {
  const TopicPartition partition{.topic_id = *TopicId::Parse(kText), .partition = PartitionId(7)};
  EXPECT_EQ(partition.ToString(), base::StrCat(kText, "/7"));
}

TEST(OffsetTest, ArithmeticIsThatOfPlacesAndDistances) {
  EXPECT_EQ(Offset(5) + 3, Offset(8));
  EXPECT_EQ(Offset(8) - Offset(5), 3);
  EXPECT_LT(Offset(5), Offset(8));
}

/// Gives the same word again and again.
class ConstantRandom final : public base::Random {
 public:
  explicit ConstantRandom(uint64_t word) : word_(word) {}
  uint64_t Next() override { return word_; }

 private:
  uint64_t word_;
};

TEST(NewTopicIdTest, VersionAndVariantAreThoseOfARandomUuid) {
  ConstantRandom ones(~uint64_t{0});
  EXPECT_EQ(base::NewTopicId(ones).ToString(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  ConstantRandom zeros(0);
  EXPECT_EQ(base::NewTopicId(zeros).ToString(), "00000000-0000-4000-8000-000000000000");
}

TEST(NewTopicIdTest, SystemGivesAnotherEveryTime) {
  base::SystemRandom random;
  EXPECT_NE(base::NewTopicId(random), base::NewTopicId(random));
}

TEST(TopicPartitionTest, OtherTextsAreNotLogs) {
  const std::string id(kText);
  for (const std::string& text :
       {std::string(), id, id + "/", id + "/-1", id + "/+1", id + "/01", id + "/ 1", id + "/1 ",
        id + "/1/", id + "/2147483648", id + "//1", "/" + id + "/1", std::string("orders/1"),
        id + "/../1"}) {
    EXPECT_FALSE(TopicPartition::Parse(text).has_value()) << text;
  }
}

TEST(TopicPartitionTest, TextComesBack) {
  for (const char* partition : {"/0", "/7", "/2147483647"}) {
    const auto log = TopicPartition::Parse(std::string(kText) + partition);
    ASSERT_TRUE(log.has_value()) << partition;
    EXPECT_EQ(log->ToString(), std::string(kText) + partition);
  }
}

}  // namespace
}  // namespace talosmq
