#include "base/bytes.h"

#include "gtest/gtest.h"

#include <cstdint>
#include <limits>
#include <string>

namespace talosmq::base {
namespace {

TEST(BigEndianTest, HighByteComesFirst) {
  std::byte bytes[8];
  StoreBigEndian(bytes, uint32_t{0x01020304});
  EXPECT_EQ(AsText({bytes, 4}), "\x01\x02\x03\x04");
  StoreBigEndian(bytes, int64_t{-2});
  EXPECT_EQ(AsText(bytes), "\xff\xff\xff\xff\xff\xff\xff\xfe");
}

template <typename T>
void ExpectComesBack() {
  for (const T value :
       {std::numeric_limits<T>::min(), T{-1}, T{0}, T{1}, std::numeric_limits<T>::max()}) {
    std::byte bytes[sizeof(T)];
    StoreBigEndian(bytes, value);
    EXPECT_EQ(LoadBigEndian<T>(bytes), value);
  }
}

TEST(BigEndianTest, EveryWidthComesBack) {
  ExpectComesBack<int8_t>();
  ExpectComesBack<int16_t>();
  ExpectComesBack<int32_t>();
  ExpectComesBack<int64_t>();
}

TEST(BufferTest, EmptyBufferHasNoBytes) {
  EXPECT_TRUE(Buffer().empty());
  EXPECT_TRUE(Buffer::Allocate(0).empty());
  EXPECT_TRUE(Buffer::CopyOf({}).empty());
}

TEST(BufferTest, CopyIsApartFromItsSource) {
  std::string source = "source";
  const Buffer copy = Buffer::CopyOf(AsBytes(source));
  source[0] = 'S';
  EXPECT_EQ(copy.text(), "source");
}

TEST(BufferTest, SliceSharesTheBlockAndOutlivesIt) {
  Buffer slice;
  const std::byte* shared = nullptr;
  {
    const Buffer whole = Buffer::CopyOf(AsBytes("0123456789"));
    slice = whole.Slice(2, 5).Slice(1, 3);
    shared = whole.bytes().data() + 3;
  }
  EXPECT_EQ(slice.bytes().data(), shared);
  EXPECT_EQ(slice.text(), "345");
}

TEST(BufferTest, SliceMayBeEmptyAtTheEnd) {
  EXPECT_TRUE(Buffer::CopyOf(AsBytes("abc")).Slice(3, 0).empty());
}

TEST(BufferDeathTest, SliceBeyondTheEndAborts) {
  const Buffer buffer = Buffer::CopyOf(AsBytes("abc"));
  EXPECT_DEATH((void)buffer.Slice(4, 0), "begin=4");
  EXPECT_DEATH((void)buffer.Slice(1, 3), "slice=3");
  EXPECT_DEATH((void)buffer.Slice(1, std::numeric_limits<size_t>::max()), "slice=");
}

}  // namespace
}  // namespace talosmq::base
