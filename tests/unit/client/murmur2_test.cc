#include "client/murmur2.h"

#include <gtest/gtest.h>

namespace talosmq::client {
namespace {

struct GoldenPair {
  std::string_view key;
  int32_t hash;
};

// From org.apache.kafka.common.utils.UtilsTest.testMurmur2.
constexpr GoldenPair kGolden[] = {
    {"21", -973932308},
    {"foobar", -790332482},
    {"a-little-bit-long-string", -985981536},
    {"a-little-bit-longer-string", -1486304829},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
    {"abc", 479470107},
};

TEST(Murmur2Test, HashesAsKafkasJavaClientDoes) {
  for (const GoldenPair& pair : kGolden) {
    EXPECT_EQ(static_cast<int32_t>(Murmur2(base::AsBytes(pair.key))), pair.hash) << pair.key;
  }
}

TEST(Murmur2Test, TheSignBitIsMaskedNotNegated) {
  // 0x7fffffff & -973932308 = 1173551340.
  EXPECT_EQ(PartitionOfKey(base::AsBytes("21"), 1000), 340);
  EXPECT_EQ(PartitionOfKey(base::AsBytes("abc"), 1000), 107);
}

TEST(Murmur2Test, AnEmptyKeyHasAPartitionToo) {
  EXPECT_GE(PartitionOfKey({}, 7), 0);
  EXPECT_LT(PartitionOfKey({}, 7), 7);
}

TEST(Murmur2Test, OnePartitionTakesEverything) {
  for (const GoldenPair& pair : kGolden) {
    EXPECT_EQ(PartitionOfKey(base::AsBytes(pair.key), 1), 0);
  }
}

}  // namespace
}  // namespace talosmq::client
