#include "client/position_file.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "support/memory_file_system.h"
#include "talosmq/error.h"

#include "absl/strings/str_format.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace talosmq::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

KeptPositions Some() {
  return {.topic = *TopicId::Parse("01020304-0506-4708-890a-0b0c0d0e0f10"),
          .offsets = {{PartitionId(0), Offset(1500)}, {PartitionId(7), Offset(77)}}};
}

std::string WithSum(const std::string& text) {
  return text + absl::StrFormat("crc32c %08x\n", base::Crc32c(base::AsBytes(text)));
}

TEST(PositionFileTest, EveryDamagedByteIsNoticed) {
  const std::string text = WritePositions(Some());
  for (size_t i = 0; i < text.size(); ++i) {
    for (const char flip : {'\x01', '\x10', '\x80'}) {
      std::string damaged = text;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      EXPECT_FALSE(ParsePositions(damaged).ok()) << i;
    }
  }
}

TEST(PositionFileTest, EveryCutIsNoticed) {
  const std::string text = WritePositions(Some());
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(ReasonOf(ParsePositions(text.substr(0, size)).status()),
              size == 19 || size == 18 ? Reason::kUnsupportedVersion : Reason::kCorruptData)
        << size;
  }
}

TEST(PositionFileTest, LinesThatMakeNoSenseAreRefusedAlsoWithARightSum) {
  const std::string head = "talosmq-positions 1\ntopic 01020304-0506-4708-890a-0b0c0d0e0f10\n";
  for (const char* const lines : {"0\n", "0 -1\n", "-1 0\n", "x 1\n", "1 5\n0 5\n", "0 5\n0 5\n",
                                  "0 5 6\n", "\n", "0 99999999999999999999\n"}) {
    EXPECT_EQ(ReasonOf(ParsePositions(WithSum(head + lines)).status()), Reason::kCorruptData)
        << lines;
  }
  EXPECT_EQ(ReasonOf(ParsePositions(WithSum("talosmq-positions 1\ntopic 1\n")).status()),
            Reason::kCorruptData);
}

TEST(PositionFileTest, AnotherVersionIsRefusedAsSuch) {
  EXPECT_EQ(ReasonOf(ParsePositions(WithSum("talosmq-positions 2\n")).status()),
            Reason::kUnsupportedVersion);
}

TEST(PositionFileTest, WhatWasSavedSurvivesAPowerCut) {
  support::MemoryFileSystem disk;
  EXPECT_FALSE((*LoadPositions(disk, "positions")).has_value());
  ASSERT_TRUE(SavePositions(disk, "positions", Some()).ok());
  KeptPositions later = Some();
  later.offsets[PartitionId(0)] = Offset(1501);
  ASSERT_TRUE(SavePositions(disk, "positions", later).ok());
  disk.CutPower(support::PowerCut::DropUnsynced());
  const auto loaded = LoadPositions(disk, "positions");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(*loaded, Optional(later));
}

TEST(PositionFileTest, ADamagedFileIsRefusedByName) {
  support::MemoryFileSystem disk;
  ASSERT_TRUE(io::WriteFileAtomically(disk, "kept", base::AsBytes(std::string("nonsense"))).ok());
  const absl::Status status = LoadPositions(disk, "kept").status();
  EXPECT_EQ(ReasonOf(status), Reason::kCorruptData);
  EXPECT_THAT(std::string(status.message()), HasSubstr("positions file kept"));
}

}  // namespace
}  // namespace talosmq::client
