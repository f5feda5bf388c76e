#include "base/varint.h"

#include "gtest/gtest.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace talosmq::base {
namespace {

std::string Encode(int64_t value) {
  std::byte bytes[kVarint64BytesMax];
  const auto size = static_cast<size_t>(PutVarint(bytes, value) - bytes);
  return std::string(AsText({bytes, size}));
}

/// Around every power of two, where lengths change.
std::vector<int64_t> Boundaries() {
  std::vector<int64_t> values = {0, std::numeric_limits<int64_t>::min(),
                                 std::numeric_limits<int64_t>::max()};
  for (int bit = 0; bit < 63; ++bit) {
    for (const int64_t near : {-1, 0, 1}) {
      values.push_back((int64_t{1} << bit) + near);
      values.push_back(-(int64_t{1} << bit) + near);
    }
  }
  return values;
}

TEST(VarintTest, KnownValuesHaveKnownBytes) {
  EXPECT_EQ(Encode(0), std::string(1, '\0'));
  EXPECT_EQ(Encode(-1), "\x01");
  EXPECT_EQ(Encode(1), "\x02");
  EXPECT_EQ(Encode(63), "\x7e");
  EXPECT_EQ(Encode(64), "\x80\x01");
  EXPECT_EQ(Encode(300), "\xd8\x04");
  EXPECT_EQ(Encode(std::numeric_limits<int32_t>::min()), "\xff\xff\xff\xff\x0f");
  EXPECT_EQ(Encode(std::numeric_limits<int64_t>::min()),
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST(VarintTest, EveryBoundaryComesBack) {
  for (const int64_t value : Boundaries()) {
    const std::string encoded = Encode(value);
    EXPECT_EQ(encoded.size(), VarintBytes(value)) << value;
    const std::string text = encoded + "rest";
    ByteSpan bytes = AsBytes(text);
    EXPECT_EQ(TakeVarint64(bytes), value);
    EXPECT_EQ(AsText(bytes), "rest");
  }
}

TEST(VarintTest, ThirtyTwoBitsTakeWhatFitsAndNothingElse) {
  for (const int64_t value : Boundaries()) {
    const std::string encoded = Encode(value);
    ByteSpan bytes = AsBytes(encoded);
    const bool fits = value >= std::numeric_limits<int32_t>::min() &&
                      value <= std::numeric_limits<int32_t>::max();
    EXPECT_EQ(TakeVarint32(bytes).has_value(), fits) << value;
    EXPECT_EQ(bytes.size(), fits ? 0 : encoded.size()) << value;
  }
}

TEST(VarintTest, CutOffVarintLeavesTheBytesUntouched) {
  const std::string encoded = Encode(std::numeric_limits<int64_t>::max());
  for (size_t size = 0; size < encoded.size(); ++size) {
    ByteSpan bytes = AsBytes(encoded).first(size);
    EXPECT_FALSE(TakeVarint64(bytes).has_value());
    EXPECT_EQ(bytes.size(), size);
  }
}

TEST(VarintTest, BitsBeyondTheTypeAreRefused) {
  const std::string ten(std::string(9, '\xff') + "\x02");
  ByteSpan bytes = AsBytes(ten);
  EXPECT_FALSE(TakeVarint64(bytes).has_value());
  const std::string five("\xff\xff\xff\xff\x10");
  bytes = AsBytes(five);
  EXPECT_FALSE(TakeVarint32(bytes).has_value());
  const std::string endless(20, '\x80');
  bytes = AsBytes(endless);
  EXPECT_FALSE(TakeVarint64(bytes).has_value());
  EXPECT_FALSE(TakeVarint32(bytes).has_value());
}

}  // namespace
}  // namespace talosmq::base
