#include "storage/pending_index.h"

#include "gtest/gtest.h"

#include <vector>

namespace talosmq::storage {
namespace {

constexpr IndexedSegment kOlder{.base = Offset(0)};
constexpr IndexedSegment kNewest{.base = Offset(10)};

IndexEntry EntryOf(int64_t first, int64_t end) {
  return {.first_offset = Offset(first), .end_offset = Offset(end)};
}

TEST(PendingIndexTest, DropsAreCountedAndWhatIsAddedOrLookedUpIsNone) {
  PendingIndex index;
  index.Begin(kOlder);
  index.Add(kOlder, EntryOf(0, 5));
  index.Add(kOlder, EntryOf(5, 10));
  index.Begin(kNewest);
  index.Add(kNewest, EntryOf(10, 12));
  const auto below = index.Below(Offset(5), kOlder.base);
  EXPECT_EQ(index.Of(kOlder.base).drops, 0U);

  index.Drop(below);
  EXPECT_EQ(index.Of(kOlder.base).drops, 1U);
  EXPECT_EQ(index.Of(kOlder.base).entries, std::vector{EntryOf(5, 10)});
  EXPECT_EQ(index.Of(kNewest.base).entries, std::vector{EntryOf(10, 12)});

  index.Drop(index.Below(Offset(12), kNewest.base));
  EXPECT_EQ(index.Of(kNewest.base).drops, 2U);
  EXPECT_TRUE(index.Of(kNewest.base).entries.empty());
  EXPECT_EQ(index.Of(kOlder.base).drops, 2U) << "also of a segment that lacks nothing any more";
}

}  // namespace
}  // namespace talosmq::storage
