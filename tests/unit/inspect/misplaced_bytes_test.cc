// Bytes that are sound in themselves and stand in the wrong place, or are of another time: what a
// batch's CRC does not see. A read from disk, recovery and `log verify` each have to (R32).

#include "base/bytes.h"
#include "inspect/inspect.h"
#include "record/batch.h"
#include "storage/segment.h"
#include "storage/segment_index.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::inspect {
namespace {

using storage::kIndexSuffix;
using storage::kSegmentSuffix;
using storage::OffsetFileName;
using storage::RecoveryReport;
using support::StorageWorld;

constexpr size_t kRunBytes = 5'000;     // A batch of it has an index entry of its own.
constexpr size_t kSmallBytes = 100;     // A few of these have none.
constexpr size_t kUncoveredBytes = 17;  // Base offset, length, epoch and magic.
static_assert(kUncoveredBytes == record::kUncoveredBytes);

class MisplacedBytesTest : public testing::Test {
 protected:
  MisplacedBytesTest() : other_(StorageWorld::kLog) {
    other_.partition = PartitionId(other_.partition.value() + 1);
    EXPECT_TRUE(world_.Start().ok());
  }

  void Append(int count, size_t value_bytes, const TopicPartition& log = StorageWorld::kLog) {
    for (int i = 0; i < count; ++i) {
      const std::string value(value_bytes, static_cast<char>('a' + log.partition.value()));
      const auto appended = world_.AppendDurably({.values = {value}}, log);
      ASSERT_TRUE(appended.ok()) << appended.status();
    }
  }
  /// Everything is recorded, and nothing runs.
  void StopHere() {
    world_.Advance(absl::Seconds(2));
    world_.Run();
    world_.Kill();
  }
  std::string Segment(const TopicPartition& log = StorageWorld::kLog) const {
    return world_.Path(OffsetFileName(Offset(0), kSegmentSuffix), log);
  }
  std::string Index() const { return world_.Path(OffsetFileName(Offset(0), kIndexSuffix)); }
  /// The bytes of one batch, all being of one size, and where they stand.
  std::string BatchAt(const std::string& segment, uint64_t index) {
    const std::string content = world_.ReadFile(segment);
    size_ = record::ParseHeader(base::AsBytes(content))->size();
    return content.substr(index * size_, size_);
  }
  void PutBatch(uint64_t index, const std::string& batch) {
    std::string content = world_.ReadFile(Segment());
    content.replace(index * size_, size_, batch);
    world_.WriteFile(Segment(), content);
  }
  bool VerifyFindsDamage() {
    const auto report = VerifyDirectory(world_.disk(), StorageWorld::kDirectory, Detail::kSegments);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() && report->CountFindings(Severity::kDamage) > 0;
  }
  RecoveryReport Restart() {
    world_.Kill();
    EXPECT_TRUE(world_.Start().ok());
    const auto report = world_.Open();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RecoveryReport());
  }
  bool IsRefused(int64_t offset) {
    return ReasonOf(world_.Read(Offset(offset), 10).status()) == Reason::kCorruptData;
  }

  StorageWorld world_;
  TopicPartition other_;
  size_t size_ = 0;  ///< Of a batch.
};

TEST_F(MisplacedBytesTest, BlockOfAnotherLogIsNoticedByReadAndVerify) {
  Append(6, kRunBytes);
  Append(6, kRunBytes, other_);
  StopHere();
  EXPECT_FALSE(VerifyFindsDamage());
  // Of the same offset, epoch and size: only the check of the run knows whose it is.
  PutBatch(2, BatchAt(Segment(other_), 2));
  EXPECT_TRUE(VerifyFindsDamage());
  Restart();
  EXPECT_TRUE(IsRefused(2));
  EXPECT_FALSE(IsRefused(1));
  EXPECT_FALSE(IsRefused(3));
}

TEST_F(MisplacedBytesTest, BlockOfAnotherPositionIsNoticedByReadAndVerify) {
  Append(6, kRunBytes);
  StopHere();
  PutBatch(3, BatchAt(Segment(), 1));
  EXPECT_TRUE(VerifyFindsDamage());
  Restart();
  EXPECT_TRUE(IsRefused(3));
  EXPECT_FALSE(IsRefused(2));
  EXPECT_FALSE(IsRefused(4));
}

TEST_F(MisplacedBytesTest, BlockOfAnotherPositionIsNoticedByRecovery) {
  Append(6, kSmallBytes);
  StopHere();
  PutBatch(3, BatchAt(Segment(), 1));
  EXPECT_TRUE(VerifyFindsDamage());
  EXPECT_EQ(Restart().damages.size(), 1U);
  EXPECT_TRUE(IsRefused(3));
  EXPECT_FALSE(IsRefused(2));
  EXPECT_FALSE(IsRefused(4));
}

TEST_F(MisplacedBytesTest, BlockOfAnotherLogIsNoticedByRecovery) {
  Append(6, kSmallBytes);
  Append(6, kSmallBytes, other_);
  StopHere();
  PutBatch(3, BatchAt(Segment(other_), 4));
  EXPECT_TRUE(VerifyFindsDamage());
  EXPECT_EQ(Restart().damages.size(), 1U);
  EXPECT_TRUE(IsRefused(3));
}

TEST_F(MisplacedBytesTest, OlderCopyOfASegmentIsNoticedByReadAndVerify) {
  Append(2, kRunBytes);
  world_.Run();
  const std::string older = world_.ReadFile(Segment());
  Append(4, kRunBytes);
  StopHere();
  world_.WriteFile(Segment(), older);
  EXPECT_TRUE(VerifyFindsDamage());
  Restart();
  EXPECT_FALSE(IsRefused(1));
  for (const int64_t offset : {2, 3, 4, 5}) EXPECT_TRUE(IsRefused(offset)) << offset;
  EXPECT_EQ(world_.log().log_end(), Offset(6)) << "its offsets are never given again";
}

TEST_F(MisplacedBytesTest, OlderCopyOfASegmentAndItsIndexIsNoticedByRecovery) {
  Append(2, kRunBytes);
  world_.Advance(absl::Seconds(2));
  world_.Run();
  const std::string older = world_.ReadFile(Segment());
  const std::string older_index = world_.ReadFile(Index());
  Append(4, kRunBytes);
  StopHere();
  world_.WriteFile(Segment(), older);
  world_.WriteFile(Index(), older_index);
  EXPECT_TRUE(VerifyFindsDamage());
  const RecoveryReport report = Restart();
  ASSERT_EQ(report.damages.size(), 1U);
  EXPECT_EQ(CorruptRangeOf(report.damages[0]),
            (CorruptRange{.first = Offset(2), .next = Offset(6)}));
  EXPECT_FALSE(IsRefused(1));
  EXPECT_TRUE(IsRefused(2));
  EXPECT_EQ(world_.log().log_end(), Offset(6));
}

TEST_F(MisplacedBytesTest, OlderCopyOfASealedSegmentIsNoticedByReadAndVerify) {
  world_.log_options().segment_bytes = 20'000;
  Append(2, kRunBytes);
  world_.Run();
  const std::string older = world_.ReadFile(Segment());
  Append(4, kRunBytes);
  StopHere();
  world_.WriteFile(Segment(), older);
  EXPECT_TRUE(VerifyFindsDamage());
  Restart();
  EXPECT_FALSE(IsRefused(1));
  EXPECT_TRUE(IsRefused(2));
  EXPECT_FALSE(IsRefused(3));
}

TEST_F(MisplacedBytesTest, AnyFlippedBitThatNoCrcCoversIsNoticedByReadAndVerify) {
  Append(4, kRunBytes);
  StopHere();
  BatchAt(Segment(), 0);
  for (size_t byte = 0; byte < kUncoveredBytes; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      world_.FlipBit(Segment(), 2 * size_ + byte, bit);
      EXPECT_TRUE(VerifyFindsDamage()) << byte << "." << bit;
      Restart();
      EXPECT_TRUE(IsRefused(2)) << byte << "." << bit;
      EXPECT_FALSE(IsRefused(1)) << byte << "." << bit;
      EXPECT_FALSE(IsRefused(3)) << byte << "." << bit;
      world_.FlipBit(Segment(), 2 * size_ + byte, bit);
    }
  }
}

TEST_F(MisplacedBytesTest, AnyFlippedBitThatNoCrcCoversIsNoticedByRecovery) {
  Append(4, kSmallBytes);
  StopHere();
  BatchAt(Segment(), 0);
  const std::string whole = world_.ReadFile(Segment());
  for (size_t byte = 0; byte < kUncoveredBytes; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      world_.FlipBit(Segment(), 2 * size_ + byte, bit);
      EXPECT_EQ(Restart().damages.size(), 1U) << byte << "." << bit;
      EXPECT_TRUE(IsRefused(2)) << byte << "." << bit;
      EXPECT_FALSE(IsRefused(1)) << byte << "." << bit;
      EXPECT_FALSE(IsRefused(3)) << byte << "." << bit;
      world_.Kill();
      world_.WriteFile(Segment(), whole);
      if (world_.Exists(Index())) world_.RemoveFile(Index());
    }
  }
}

}  // namespace
}  // namespace talosmq::inspect
