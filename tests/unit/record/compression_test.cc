#include "record/compression.h"

#include "base/bytes.h"

#include "gtest/gtest.h"
#include "unit/record/told.h"

#include <array>
#include <random>
#include <string>

namespace talosmq::record {
namespace {

constexpr std::array kCodecs = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4,
                                Codec::kZstd};
constexpr std::array kCompressors = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};
constexpr std::array<size_t, 8> kSizes = {0, 1, 61, 4095, 4096, 65536, 65537, 1000000};
constexpr int64_t kRoomy = int64_t{16} << 20;

std::string Squeeze(Codec codec, const std::string& bytes) {
  const auto compressed = Compress(codec, base::AsBytes(bytes));
  EXPECT_TRUE(compressed.ok()) << compressed.status();
  return std::string(compressed->text());
}

std::string TextOf(size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += "{\"id\":" + std::to_string(text.size()) + "}";
  text.resize(bytes);
  return text;
}

std::string NoiseOf(size_t bytes) {
  std::mt19937_64 random(11);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

void ExpectInvalid(Codec codec, const std::string& bytes, const std::string& words) {
  const std::string told = Told(Inflate(codec, base::AsBytes(bytes), kRoomy));
  EXPECT_NE(told.find(words), std::string::npos) << told;
  EXPECT_TRUE(told.starts_with("InvalidRecord: ")) << told;
}

TEST(CompressionTest, WhatIsCompressedInflatesToItself) {
  for (const Codec codec : kCodecs) {
    for (const size_t size : kSizes) {
      for (const std::string& bytes : {TextOf(size), NoiseOf(size), std::string(size, 'a')}) {
        const auto inflated = Inflate(codec, base::AsBytes(Squeeze(codec, bytes)), kRoomy);
        ASSERT_TRUE(inflated.ok()) << CodecName(codec) << " " << size << inflated.status();
        EXPECT_EQ(inflated->text(), bytes) << CodecName(codec) << " " << size;
      }
    }
  }
}

TEST(CompressionTest, PrefixIsLeftInFront) {
  const std::string bytes = TextOf(1000);
  for (const Codec codec : kCodecs) {
    const auto behind = CompressAfter(61, codec, base::AsBytes(bytes));
    ASSERT_TRUE(behind.ok()) << behind.status();
    EXPECT_EQ(behind->text().substr(61), Squeeze(codec, bytes)) << CodecName(codec);
  }
}

TEST(CompressionTest, CapIsExact) {
  for (const Codec codec : kCodecs) {
    for (const size_t size : kSizes) {
      const std::string squeezed = Squeeze(codec, TextOf(size));
      const auto limit = static_cast<int64_t>(size);
      EXPECT_TRUE(Inflate(codec, base::AsBytes(squeezed), limit).ok())
          << CodecName(codec) << " " << size;
      if (size == 0) continue;
      EXPECT_EQ(ReasonOf(Inflate(codec, base::AsBytes(squeezed), limit - 1).status()),
                Reason::kBatchTooLarge)
          << CodecName(codec) << " " << size;
    }
  }
}

TEST(CompressionTest, EveryCutIsNoticed) {
  const std::string bytes = TextOf(3000);
  for (const Codec codec : kCompressors) {
    const std::string squeezed = Squeeze(codec, bytes);
    for (size_t size = 0; size < squeezed.size(); ++size) {
      EXPECT_EQ(ReasonOf(Inflate(codec, base::AsBytes(squeezed).first(size), kRoomy).status()),
                Reason::kInvalidRecord)
          << CodecName(codec) << " " << size;
    }
  }
}

TEST(CompressionTest, BytesAfterTheEndAreNoticed) {
  for (const Codec codec : kCompressors) {
    EXPECT_EQ(
        ReasonOf(
            Inflate(codec, base::AsBytes(Squeeze(codec, TextOf(300)) + "tail"), kRoomy).status()),
        Reason::kInvalidRecord)
        << CodecName(codec);
  }
}

TEST(CompressionTest, NamesAreReadBack) {
  for (const Codec codec : kCodecs) {
    const auto parsed = ParseCodec(CodecName(codec));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, codec);
  }
  EXPECT_EQ(Told(ParseCodec("brotli")),
            "InvalidArgument: compression: expected none, gzip, snappy, lz4 or zstd, found "
            "'brotli'");
}

TEST(GzipTest, MembersAreJoined) {
  const std::string two = Squeeze(Codec::kGzip, "first ") + Squeeze(Codec::kGzip, "second");
  const auto inflated = Inflate(Codec::kGzip, base::AsBytes(two), kRoomy);
  ASSERT_TRUE(inflated.ok()) << inflated.status();
  EXPECT_EQ(inflated->text(), "first second");
}

TEST(GzipTest, WrongChecksumIsTold) {
  std::string squeezed = Squeeze(Codec::kGzip, TextOf(100));
  squeezed[squeezed.size() - 5] = static_cast<char>(squeezed[squeezed.size() - 5] ^ 1);
  ExpectInvalid(Codec::kGzip, squeezed, "gzip: incorrect data check");
}

TEST(GzipTest, ZlibStreamIsNoGzip) {
  ExpectInvalid(Codec::kGzip, "\x78\x9c\x4b\x04", "gzip: incorrect header check");
}

std::string Xerial(std::initializer_list<std::string> blocks) {
  std::string framed("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
  for (const std::string& block : blocks) {
    const std::string squeezed = Squeeze(Codec::kSnappy, block);
    const auto length = static_cast<uint32_t>(squeezed.size());
    for (const int shift : {24, 16, 8, 0}) framed += static_cast<char>(length >> shift);
    framed += squeezed;
  }
  return framed;
}

TEST(SnappyTest, BothFramingsAreRead) {
  const auto inflated =
      Inflate(Codec::kSnappy, base::AsBytes(Xerial({TextOf(32768), TextOf(5)})), kRoomy);
  ASSERT_TRUE(inflated.ok()) << inflated.status();
  EXPECT_EQ(inflated->text(), TextOf(32768) + TextOf(5));
}

TEST(SnappyTest, FramesOfBlocksKeepToTheCap) {
  const std::string framed = Xerial({TextOf(600), TextOf(600)});
  EXPECT_TRUE(Inflate(Codec::kSnappy, base::AsBytes(framed), 1200).ok());
  EXPECT_EQ(ReasonOf(Inflate(Codec::kSnappy, base::AsBytes(framed), 1199).status()),
            Reason::kBatchTooLarge);
}

TEST(SnappyTest, BlockLengthBeyondTheBytesIsRefused) {
  std::string framed = Xerial({TextOf(100)});
  framed[16] = '\x7f';
  ExpectInvalid(Codec::kSnappy, framed, "snappy: block length is 213");
  framed[16] = '\xff';
  ExpectInvalid(Codec::kSnappy, framed, "snappy: block length is -");
  ExpectInvalid(Codec::kSnappy, framed.substr(0, 18),
                "snappy: expected 4 bytes of a block length, found 2");
}

TEST(SnappyTest, FramingOfAnotherVersionIsRefused) {
  std::string framed = Xerial({"block"});
  framed[15] = 2;
  ExpectInvalid(Codec::kSnappy, framed, "snappy: framing is compatible with version 2, expected 1");
}

TEST(SnappyTest, DeclaredLengthIsBelievedOnlyAsFarAsTheBytesReach) {
  // 4 GiB - 1 declared by five bytes, one literal byte behind it.
  ExpectInvalid(Codec::kSnappy,
                std::string("\xff\xff\xff\xff\x0f\x00"
                            "a",
                            7),
                "snappy: block of 7 bytes declares 4294967295, expected at most 154");
}

TEST(SnappyTest, DensestBlockIsWithinTheRatio) {
  const std::string zeros(1 << 20, '\0');
  const std::string squeezed = Squeeze(Codec::kSnappy, zeros);
  EXPECT_LT(squeezed.size(), zeros.size() / 20);
  EXPECT_TRUE(Inflate(Codec::kSnappy, base::AsBytes(squeezed), kRoomy).ok());
}

TEST(Lz4Test, WrittenFrameHasIndependentBlocksOf64KiB) {
  const std::string squeezed = Squeeze(Codec::kLz4, TextOf(100000));
  EXPECT_EQ(squeezed.substr(0, 4), "\x04\x22\x4d\x18");
  EXPECT_EQ(squeezed[4] & 0xe0, 0x60);
  EXPECT_EQ(squeezed[5], 0x40);
}

TEST(Lz4Test, DependentBlocksAreRefused) {
  std::string squeezed = Squeeze(Codec::kLz4, TextOf(100));
  squeezed[4] = static_cast<char>(squeezed[4] & ~0x20);
  ExpectInvalid(Codec::kLz4, squeezed, "lz4: expected independent blocks, found dependent ones");
}

TEST(Lz4Test, WrongHeaderChecksumIsRefused) {
  std::string squeezed = Squeeze(Codec::kLz4, TextOf(100));
  squeezed[6] = static_cast<char>(squeezed[6] ^ 1);
  ExpectInvalid(Codec::kLz4, squeezed, "ERROR_headerChecksum_invalid");
}

TEST(Lz4Test, AnotherMagicIsNamed) {
  ExpectInvalid(Codec::kLz4, "plain text",
                "lz4: expected frame magic 0x184d2204, found 0x69616c70");
}

TEST(Lz4Test, SecondFrameIsRefused) {
  const std::string squeezed = Squeeze(Codec::kLz4, "twice");
  ExpectInvalid(Codec::kLz4, squeezed + squeezed,
                "lz4: expected nothing after its frame, found 20 bytes");
}

TEST(ZstdTest, FramesAreJoined) {
  const std::string two = Squeeze(Codec::kZstd, "first ") + Squeeze(Codec::kZstd, "second");
  const auto inflated = Inflate(Codec::kZstd, base::AsBytes(two), kRoomy);
  ASSERT_TRUE(inflated.ok()) << inflated.status();
  EXPECT_EQ(inflated->text(), "first second");
}

TEST(ZstdTest, WindowBeyondTheLimitIsRefused) {
  // Magic, a descriptor without content size, a window of 2^28: then one empty last block.
  ExpectInvalid(Codec::kZstd, std::string("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", 9),
                "zstd: Frame requires too much memory for decoding");
}

TEST(ZstdTest, WindowAtTheLimitIsRead) {
  const auto inflated = Inflate(
      Codec::kZstd, base::AsBytes(std::string("\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", 9)), 10);
  ASSERT_TRUE(inflated.ok()) << inflated.status();
  EXPECT_TRUE(inflated->empty());
}

TEST(ZstdTest, DeclaredContentSizeAllocatesNothing) {
  // A frame that declares 2^56 bytes in its 8-byte content size, with one last raw block of "a".
  const std::string head("\x28\xb5\x2f\xfd\xc0\x00", 6);
  const std::string content_size("\x00\x00\x00\x00\x00\x00\x00\x01", 8);
  const std::string block(
      "\x09\x00\x00"
      "a",
      4);
  ExpectInvalid(Codec::kZstd, head + content_size + block, "zstd: Data corruption detected");
}

TEST(ZstdTest, SkippableFrameIsNoRecords) {
  ExpectInvalid(Codec::kZstd, std::string("\x50\x2a\x4d\x18\x00\x00\x00\x00", 8),
                "zstd: expected a frame at byte 0 of 8, found another magic");
}

}  // namespace
}  // namespace talosmq::record
