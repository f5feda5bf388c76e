// Where reading a segment goes on behind damage, also when values hold bytes that look like
// batches.

#include "storage/segment_scanner.h"

#include "base/bytes.h"
#include "storage/segment.h"
#include "support/memory_file_system.h"
#include "support/storage_world.h"

#include "gtest/gtest.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::storage {
namespace {

using support::MakeBatch;
using support::MemoryFileSystem;

/// A file that counts what is read of it.
class CountingFile final : public io::File {
 public:
  explicit CountingFile(std::unique_ptr<io::File> file) : file_(std::move(file)) {}

  absl::StatusOr<size_t> Read(uint64_t position, base::MutableByteSpan into) const override {
    const auto size = file_->Read(position, into);
    if (size.ok()) bytes_read_ += *size;
    return size;
  }
  absl::Status Write(uint64_t position, std::span<const base::ByteSpan> pieces) override {
    return file_->Write(position, pieces);
  }
  absl::Status Sync() override { return file_->Sync(); }
  absl::StatusOr<uint64_t> Size() const override { return file_->Size(); }
  absl::Status Truncate(uint64_t size) override { return file_->Truncate(size); }
  absl::Status Preallocate(uint64_t size) override { return file_->Preallocate(size); }
  absl::StatusOr<uint64_t> AllocatedBytes() const override { return file_->AllocatedBytes(); }

  uint64_t bytes_read() const { return bytes_read_; }

 private:
  std::unique_ptr<io::File> file_;
  mutable uint64_t bytes_read_ = 0;
};

/// The bytes of a batch as they stand in a segment, or in a value.
std::string Batch(int64_t base_offset, const std::vector<std::string>& values) {
  base::Buffer bytes = MakeBatch({.values = values});
  record::PatchBaseOffset(bytes.mutable_bytes(), Offset(base_offset));
  record::PatchEpoch(bytes.mutable_bytes(), LeaderEpoch(1));
  return std::string(base::AsText(bytes.bytes()));
}

/// Headers back to back, each of a batch that reaches over the next `reach` ones and fits what
/// stands there, but for its CRC.
std::string FakeHeaders(int count, int32_t reach) {
  std::string header = Batch(0, {"x"}).substr(0, record::kHeaderBytes);
  std::string headers;
  for (int i = 0; i < count; ++i) {
    auto* const bytes = reinterpret_cast<std::byte*>(header.data());
    base::StoreBigEndian(bytes, int64_t{2 + i});
    base::StoreBigEndian(bytes + record::kLengthPosition,
                         reach * static_cast<int32_t>(record::kHeaderBytes) -
                             static_cast<int32_t>(record::kLengthBase));
    base::StoreBigEndian(bytes + record::kLastOffsetDeltaPosition, int32_t{reach - 1});
    base::StoreBigEndian(bytes + record::kCountPosition, int32_t{reach});
    headers += header;
  }
  return headers;
}

class SegmentScannerTest : public testing::Test {
 protected:
  void Write(const std::string& content) {
    size_ = content.size();
    auto file = disk_.Open("segment", io::OpenMode::kTruncate);
    ASSERT_TRUE(file.ok());
    const std::array<base::ByteSpan, 1> pieces = {base::AsBytes(content)};
    ASSERT_TRUE((*file)->Write(0, pieces).ok());
    file_ = std::make_unique<CountingFile>(std::move(*file));
  }
  /// The base offsets of all batches that are found; behind damage ".." stands before them.
  std::string Found(std::optional<int64_t> end_offset = std::nullopt,
                    std::optional<SegmentPlace> known = std::nullopt) {
    SegmentExtent extent{.base = Offset(0), .end_offset = std::nullopt, .begin = 0, .end = size_};
    if (end_offset) extent.end_offset = Offset(*end_offset);
    SegmentScanner scanner(*file_, extent, BatchChain(Offset(0), {}, Density::kDense));
    std::string found;
    while (true) {
      const auto step = scanner.Next();
      EXPECT_TRUE(step.ok()) << step.status();
      if (step->batch) {
        found += std::to_string(step->batch->header.base_offset.value()) + " ";
        continue;
      }
      const bool is_before = known && scanner.position() < known->position;
      const auto goes_on =
          step->mismatch ? scanner.SkipDamage(is_before ? known : std::nullopt) : false;
      EXPECT_TRUE(goes_on.ok()) << goes_on.status();
      if (!goes_on.value_or(false)) break;
      found += ".. ";
    }
    rechecked_bytes_ = scanner.rechecked_bytes();
    return found;
  }

  MemoryFileSystem disk_;
  std::unique_ptr<CountingFile> file_;
  uint64_t size_ = 0;
  uint64_t rechecked_bytes_ = 0;
};

/// So that nothing of the header tells where the batch ends.
std::string WithBrokenHeader(std::string batch) {
  batch[record::kMagicPosition] = 9;
  return batch;
}
std::string WithBrokenRecords(std::string batch) {
  batch.back() ^= 1;
  return batch;
}

TEST_F(SegmentScannerTest, BatchBehindABrokenOneIsFound) {
  Write(Batch(0, {"a"}) + WithBrokenHeader(Batch(1, {"b", "c"})) + Batch(3, {"d"}) +
        Batch(4, {"e"}));
  EXPECT_EQ(Found(), "0 .. 3 4 ");
  EXPECT_EQ(Found(5), "0 .. 3 4 ");
}

TEST_F(SegmentScannerTest, SoundBatchBetweenBrokenOnesIsFoundByTheHeaderOfEither) {
  Write(WithBrokenRecords(Batch(0, {"a"})) + Batch(1, {"b"}) + WithBrokenHeader(Batch(2, {"c"})) +
        Batch(3, {"d"}));
  EXPECT_EQ(Found(), ".. 1 .. 3 ");
  Write(WithBrokenHeader(Batch(0, {"a"})) + Batch(1, {"b"}) + WithBrokenRecords(Batch(2, {"c"})) +
        Batch(3, {"d"}));
  EXPECT_EQ(Found(), ".. 1 .. 3 ");
}

TEST_F(SegmentScannerTest, BatchBeforeTheZerosOfThePreallocatedRestIsFound) {
  Write(WithBrokenHeader(Batch(0, {"a"})) + Batch(1, {"b"}) + std::string(5'000, '\0'));
  EXPECT_EQ(Found(), ".. 1 ");
}

// A batch inside of a value used to be taken for one of the log as soon as the batch around it was
// broken. Its offset became the end of the log, and the sound batches behind it were cut.
TEST_F(SegmentScannerTest, BatchInAValueIsNotOneOfTheLog) {
  for (const int64_t forged : {int64_t{2}, int64_t{7}, int64_t{1'000'000'000'000}}) {
    for (const std::string& rest : {std::string("tail"), std::string(200, '\0')}) {
      const std::string outer = Batch(1, {"x" + Batch(forged, {"forged"}) + rest});
      const std::string behind = Batch(2, {"b"}) + Batch(3, {"c"});
      Write(Batch(0, {"a"}) + WithBrokenHeader(outer) + behind);
      EXPECT_EQ(Found(), "0 .. 2 3 ") << forged;
      Write(Batch(0, {"a"}) + WithBrokenRecords(outer) + behind);
      EXPECT_EQ(Found(), "0 .. 2 3 ") << forged;
    }
    Write(Batch(0, {"a"}) + WithBrokenHeader(Batch(1, {Batch(forged, {"forged"}) + "tail"})));
    EXPECT_EQ(Found(), "0 ") << forged;
  }
}

TEST_F(SegmentScannerTest, OffsetsThatThePassedBytesCannotHoldAreNotBelieved) {
  // It fits the end of the file, as if it were the last batch.
  Write(WithBrokenHeader(Batch(0, {"a"})) + Batch(3'000'000'000, {"forged"}));
  EXPECT_EQ(Found(), "");
}

TEST_F(SegmentScannerTest, NothingBehindTheEndOfTheSegmentIsBelieved) {
  Write(WithBrokenHeader(Batch(0, {"a"})) + Batch(1, {"b"}) + Batch(2, {"c"}));
  EXPECT_EQ(Found(3), ".. 1 2 ");
  EXPECT_EQ(Found(2), "") << "the batch that is followed by one behind the end is not believed";
  EXPECT_EQ(Found(1), "");
  Write(Batch(0, {"a"}) + Batch(1, {"b", "c"}));
  EXPECT_EQ(Found(2), "0 ") << "nor is one that goes beyond it";
}

TEST_F(SegmentScannerTest, KnownPlaceIsWhereReadingGoesOnAtTheLatest) {
  const std::string outer = Batch(0, {"x" + Batch(4, {"forged"}) + Batch(5, {"forged"}) + "y"});
  Write(WithBrokenHeader(outer) + Batch(1, {"b"}));
  const SegmentPlace known{.position = outer.size(), .offset = Offset(1)};
  EXPECT_EQ(Found(std::nullopt, known), ".. 1 ");
}

// Each header cost a check of all that it claimed: 30 GB here.
TEST_F(SegmentScannerTest, ValueFullOfHeadersCostsNoMoreThanItsSizeAllows) {
  constexpr int kHeaders = 50'000;
  constexpr int kReach = 17'000;
  const std::string outer = Batch(1, {FakeHeaders(kHeaders, kReach)});
  Write(Batch(0, {"a"}) + WithBrokenHeader(outer) + Batch(2, {"b"}) + Batch(3, {"c"}));
  EXPECT_EQ(Found(), "0 .. 2 3 ");
  const uint64_t bound =
      SegmentScanner::RecheckedBytesMax(outer.size(), kReach * record::kHeaderBytes);
  EXPECT_GT(rechecked_bytes_, 0U);
  EXPECT_LE(rechecked_bytes_, bound);
  EXPECT_LE(file_->bytes_read(), bound + 4 * size_);
}

}  // namespace
}  // namespace talosmq::storage
