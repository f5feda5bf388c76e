// Random histories of keys on a compacted log against a map, with compactions, restarts and power
// cuts at random places: the last record of each key is there, at its offset.

#include "record/batch.h"
#include "storage/compaction.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace talosmq::storage {
namespace {

using support::PowerCut;
using support::StorageWorld;

constexpr uint64_t kSeeds = 40;
constexpr uint64_t kSeedsLong = 2'000;
constexpr int kSteps = 400;

/// Where the last record of a key is, and its value; none: a tombstone.
struct LastRecord {
  Offset offset;
  std::optional<std::string> value;
  friend bool operator==(const LastRecord&, const LastRecord&) = default;
};
using LastRecords = std::map<std::string, LastRecord>;

class KeyedHistory {
 public:
  explicit KeyedHistory(uint64_t seed) : random_(seed) {
    world_.log_options().segment_bytes = 2'000 + static_cast<int64_t>(Choose(6'000));
    world_.log_options().compaction =
        CompactionRules{.dirty_ratio_min = static_cast<double>(Choose(10)) / 10,
                        .tombstone_age_min = absl::Seconds(static_cast<int64_t>(Choose(100)))};
    if (Choose(2) == 0) world_.store_options().direct_logs_max = 0;
    world_.store_options().tail_cache_bytes_max = Choose(2) == 0 ? 20'000 : 1 << 20;
    if (Choose(3) == 0) world_.store_options().compaction_keys_max = 20 + Choose(40);
  }

  void Run() {
    ASSERT_NO_FATAL_FAILURE(Start());
    for (int step = 0; step < kSteps; ++step) {
      switch (Choose(12)) {
        case 0:
          ASSERT_NO_FATAL_FAILURE(Compact());
          break;
        case 1:
          if (Choose(4) != 0) break;
          ASSERT_NO_FATAL_FAILURE(CutPowerWhileCompacting());
          break;
        case 2:
          if (Choose(10) != 0) break;
          ASSERT_TRUE(world_.Stop().ok());
          ASSERT_NO_FATAL_FAILURE(Start());
          break;
        default:
          ASSERT_NO_FATAL_FAILURE(Append(step));
      }
    }
    Compare();
  }

 private:
  uint64_t Choose(uint64_t below) { return random_() % below; }

  void Start() {
    ASSERT_TRUE(world_.Start().ok());
    ASSERT_TRUE(world_.Open().ok());
  }

  void Compact() {
    world_.Advance(absl::Seconds(static_cast<int64_t>(Choose(20))));
    world_.Run();
    const absl::Status compacted = world_.Compact();
    ASSERT_TRUE(compacted.ok() || ReasonOf(compacted) == Reason::kInvalidConfig) << compacted;
  }

  void CutPowerWhileCompacting() {
    world_.log().Compact(world_.clock().Now(), world_.log().durable_end(),
                         [](const absl::Status&) {});
    for (uint64_t i = Choose(30); i > 0; --i) world_.RunOne();
    world_.CutPower(PowerCut::Random(random_()));
    Start();
  }

  void Append(int step) {
    support::BatchOf batch;
    batch.codec = Choose(4) == 0 ? record::Codec::kZstd : record::Codec::kNone;
    const size_t count = 1 + Choose(4);
    for (size_t i = 0; i < count; ++i) {
      batch.keys.push_back("k" + std::to_string(Choose(30)));
      batch.values.push_back(std::to_string(step) + std::string(Choose(300), 'v'));
      if (Choose(5) == 0) batch.tombstones.insert(i);
    }
    const auto appended = world_.AppendDurably(batch);
    ASSERT_TRUE(appended.ok()) << appended.status();
    for (size_t i = 0; i < count; ++i) {
      const bool is_tombstone = batch.tombstones.contains(i);
      last_[batch.keys[i]] = {
          .offset = end_, .value = is_tombstone ? std::nullopt : std::optional(batch.values[i])};
      end_ = end_ + 1;
    }
  }

  void Compare() {
    ASSERT_EQ(world_.log().log_end(), end_);
    LastRecords found;
    ASSERT_NO_FATAL_FAILURE(ReadAll(found));
    for (const auto& [key, record] : last_) {
      const auto known = found.find(key);
      if (!record.value && known == found.end()) continue;  // Its tombstone has gone, too.
      ASSERT_NE(known, found.end()) << key;
      EXPECT_EQ(known->second, record) << key;
    }
  }

  void ReadAll(LastRecords& found) {
    Offset at(0);
    while (at < world_.log().durable_end()) {
      const auto read = world_.Read(at);
      ASSERT_TRUE(read.ok()) << read.status();
      ASSERT_GT(read->next_offset, at);
      for (const base::Buffer& chunk : read->chunks) TakeRecords(chunk.bytes(), found);
      at = read->next_offset;
    }
  }

  static void TakeRecords(base::ByteSpan batches, LastRecords& found) {
    while (!batches.empty()) {
      const auto header = record::ParseHeader(batches);
      ASSERT_TRUE(header.ok()) << header.status();
      auto reader = record::BatchReader::Open(batches.first(header->size()), {});
      ASSERT_TRUE(reader.ok()) << reader.status();
      while (auto record = reader->Next().value()) {
        found[std::string(*record->key)] = {
            .offset = record->offset,
            .value = record->value ? std::optional<std::string>(*record->value) : std::nullopt};
      }
      batches = batches.subspan(header->size());
    }
  }

  StorageWorld world_;
  std::mt19937_64 random_;
  LastRecords last_;  ///< As they must be.
  Offset end_{0};
};

TEST(CompactionModelTest, LogHoldsTheLastRecordOfEachKey) {
  const char* const chosen = std::getenv("TALOSMQ_TEST_SEED");
  const uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1;
  const char* const length = std::getenv("TALOSMQ_TEST_LENGTH");
  const bool is_long = length != nullptr && std::string_view(length) == "long";
  const uint64_t seeds = chosen != nullptr ? 1 : is_long ? kSeedsLong : kSeeds;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("TALOSMQ_TEST_SEED=" + std::to_string(seed));
    KeyedHistory(seed).Run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace talosmq::storage
