// What a compaction remembers of keys.

#include "storage/key_offsets.h"

#include "gtest/gtest.h"

#include <optional>

namespace talosmq::storage {
namespace {

TEST(KeyOffsetsTest, HoldsTheLastOffsetAndNoMoreKeysThanItMay) {
  base::SystemRandom random;
  KeyOffsets keys(random, 2);
  EXPECT_TRUE(keys.Add("a", Offset(1)));
  EXPECT_TRUE(keys.Add("", Offset(2)));
  EXPECT_FALSE(keys.Add("b", Offset(3)));
  EXPECT_TRUE(keys.Add("a", Offset(4)));
  EXPECT_EQ(keys.Find("a"), Offset(4));
  EXPECT_EQ(keys.Find(""), Offset(2));
  EXPECT_EQ(keys.Find("b"), std::nullopt);
}

}  // namespace
}  // namespace talosmq::storage
