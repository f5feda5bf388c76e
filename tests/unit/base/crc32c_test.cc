#include "base/crc32c.h"

#include "gtest/gtest.h"

#include <array>
#include <random>
#include <string>

namespace talosmq::base {
namespace {

void ExpectBoth(ByteSpan bytes, uint32_t crc) {
  EXPECT_EQ(Crc32c(bytes), crc);
  EXPECT_EQ(Crc32cSoftware(bytes), crc);
}

std::string Noise(size_t size) {
  std::mt19937_64 random(3);
  std::string noise(size, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

TEST(Crc32cTest, VectorsOfRfc3720Hold) {
  ExpectBoth(AsBytes(std::string(32, '\0')), 0x8a9136aa);
  ExpectBoth(AsBytes(std::string(32, '\xff')), 0x62a8ab43);
  std::string ascending;
  std::string descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  ExpectBoth(AsBytes(ascending), 0x46dd794e);
  ExpectBoth(AsBytes(descending), 0x113fdb5c);
}

TEST(Crc32cTest, IscsiReadCommandOfRfc3720Holds) {
  std::array<std::byte, 48> command{};
  command[0] = std::byte{0x01};
  command[1] = std::byte{0xc0};
  command[16] = std::byte{0x14};
  command[22] = std::byte{0x04};
  command[27] = std::byte{0x14};
  command[31] = std::byte{0x18};
  command[32] = std::byte{0x28};
  command[40] = std::byte{0x02};
  ExpectBoth(command, 0xd9963a56);
}

TEST(Crc32cTest, CheckValueHolds) { ExpectBoth(AsBytes("123456789"), 0xe3069283); }

TEST(Crc32cTest, NothingHasSumZero) { ExpectBoth({}, 0); }

TEST(Crc32cTest, HardwareAgreesWithTheDefinitionAtEveryLengthAndAlignment) {
  const std::string noise = Noise(400);
  for (size_t begin = 0; begin < 16; ++begin) {
    for (size_t size = 0; size + begin <= noise.size(); ++size) {
      const ByteSpan bytes = AsBytes(noise).subspan(begin, size);
      ASSERT_EQ(Crc32c(bytes), Crc32cSoftware(bytes)) << begin << "+" << size;
    }
  }
  const std::string large = Noise(1 << 20);
  EXPECT_EQ(Crc32c(AsBytes(large)), Crc32cSoftware(AsBytes(large)));
}

TEST(Crc32cTest, SumGoesOnFromWhereItWasLeft) {
  const std::string noise = Noise(300);
  const ByteSpan bytes = AsBytes(noise);
  const uint32_t whole = Crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(Crc32c(bytes.subspan(cut), Crc32c(bytes.first(cut))), whole) << cut;
    EXPECT_EQ(Crc32cSoftware(bytes.subspan(cut), Crc32c(bytes.first(cut))), whole) << cut;
  }
}

}  // namespace
}  // namespace talosmq::base
