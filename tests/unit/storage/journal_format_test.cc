#include "storage/journal_format.h"

#include "support/storage_world.h"

#include "gtest/gtest.h"

#include <cstddef>
#include <string>

namespace talosmq::storage {
namespace {

using support::StorageWorld;

constexpr TopicPartition kOther{.topic_id = TopicId({9, 8, 7}), .partition = PartitionId(8)};

TEST(JournalFormatTest, GroupIsReadAsItWasWritten) {
  const JournalIdentity identity{std::byte{1}, std::byte{2}};
  const JournalGroup group{
      .sequence = 7,
      .before = 5,
      .oldest = 3,
      .sections = {{.log = StorageWorld::kLog,
                    .segment = Offset(100),
                    .position = 4096,
                    .first_offset = Offset(120),
                    .end_offset = Offset(125),
                    .bytes = 300,
                    .check = 77,
                    .epochs = {{.epoch = LeaderEpoch(4), .start_offset = Offset(120)}}},
                   {.log = kOther,
                    .segment = Offset(0),
                    .position = 0,
                    .first_offset = Offset(0),
                    .end_offset = Offset(1),
                    .bytes = 61,
                    .check = 78,
                    .epochs = {}}}};
  const std::string head = EncodeJournalGroup(identity, group, 0);
  const auto size = ReadJournalHeader(identity, base::AsBytes(head));
  ASSERT_TRUE(size.ok() && size->has_value());
  EXPECT_EQ((*size)->head_bytes(), head.size());
  EXPECT_EQ((*size)->batch_bytes, 361U);
  EXPECT_EQ((*size)->copy_distance(), kJournalBlockBytes);
  EXPECT_EQ((*size)->total_bytes(), 2 * kJournalBlockBytes);
  const auto read = DecodeJournalGroup(base::AsBytes(head));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(EncodeJournalGroup(identity, *read, 0), head);
  EXPECT_EQ(read->sections[0].epochs.size(), 1U);
  EXPECT_EQ(read->sections[1].end_offset, Offset(1));
}

TEST(JournalFormatTest, GroupOfAnotherIdentityIsNone) {
  const std::string head = EncodeJournalGroup({std::byte{1}}, {.sequence = 1, .sections = {}}, 0);
  const auto size = ReadJournalHeader({std::byte{2}}, base::AsBytes(head));
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_FALSE(size->has_value()) << "a client could have written it";
}

TEST(JournalFormatTest, AnyFlippedBitOfHeadAndTableIsNoticed) {
  const JournalIdentity identity{std::byte{1}};
  JournalSection section;
  section.log = kOther;
  section.bytes = 61;
  const std::string head = EncodeJournalGroup(identity, {.sequence = 1, .sections = {section}}, 0);
  for (size_t position = 0; position < head.size(); ++position) {
    std::string flipped = head;
    flipped[position] = static_cast<char>(flipped[position] ^ 4);
    const auto size = ReadJournalHeader(identity, base::AsBytes(flipped));
    ASSERT_TRUE(size.ok()) << size.status();
    if (!size->has_value()) continue;
    EXPECT_FALSE(DecodeJournalGroup(base::AsBytes(flipped)).has_value()) << position;
  }
}

}  // namespace
}  // namespace talosmq::storage
