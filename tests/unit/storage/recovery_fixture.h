#pragma once

#include "base/bytes.h"
#include "record/batch.h"
#include "storage/checkpoint.h"
#include "storage/segment.h"
#include "support/storage_world.h"

#include "gtest/gtest.h"

#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::storage {

/// One log that is written, hurt and opened again.
class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() { EXPECT_TRUE(world_.Start().ok()); }

  void Append(int count, size_t value_bytes = 10) {
    for (int i = 0; i < count; ++i) {
      std::string value = std::to_string(next_++) + ":";
      value.resize(value_bytes, 'v');
      const auto appended = world_.AppendDurably({.values = {value}});
      ASSERT_TRUE(appended.ok()) << appended.status();
    }
  }
  /// Waits until the checkpoint has recorded everything.
  void Record() {
    world_.Advance(absl::Seconds(2));
    world_.Run();
  }
  std::string Segment(int64_t base = 0) const {
    return world_.Path(OffsetFileName(Offset(base), kSegmentSuffix));
  }
  std::string Index(int64_t base = 0) const {
    return world_.Path(OffsetFileName(Offset(base), kIndexSuffix));
  }
  absl::StatusOr<RecoveryReport> Reopen() {
    world_.Kill();
    const absl::Status started = world_.Start();
    if (!started.ok()) return started;
    return world_.Open();
  }
  RecoveryReport ReopenWell() {
    auto report = Reopen();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RecoveryReport{});
  }
  std::vector<int64_t> Offsets() {
    std::vector<int64_t> offsets;
    const auto records = world_.ReadAll();
    EXPECT_TRUE(records.ok()) << records.status();
    if (!records.ok()) return offsets;
    for (const support::ReadRecord& record : *records) offsets.push_back(record.offset.value());
    return offsets;
  }
  void ExpectDense(int64_t end) {
    const std::vector<int64_t> offsets = Offsets();
    EXPECT_EQ(offsets.size(), static_cast<size_t>(end));
    for (size_t i = 0; i < offsets.size(); ++i) EXPECT_EQ(offsets[i], static_cast<int64_t>(i));
    EXPECT_EQ(world_.log().log_end(), Offset(end));
    EXPECT_EQ(world_.log().durable_end(), Offset(end));
  }
  /// Positions of all batches of a segment, and the end.
  std::vector<uint64_t> Positions(const std::string& path) {
    const std::string content = world_.ReadFile(path);
    std::vector<uint64_t> positions;
    uint64_t position = 0;
    while (true) {
      positions.push_back(position);
      const auto header = record::ParseHeader(base::AsBytes(content).subspan(position));
      if (!header.ok()) return positions;
      position += header->size();
    }
  }

  /// As a power cut leaves it that came before the last checkpoint: no more than this, in the first
  /// segment, is known to be flushed.
  void PutBackRecordedPoint(int64_t end, uint64_t position, int64_t log_start = 0) {
    FlushedPoints points;
    points[support::StorageWorld::kLog] = {.log_start = Offset(log_start),
                                           .end_offset = Offset(end),
                                           .segment = Offset(0),
                                           .position = position};
    world_.WriteFile("data/checkpoint", EncodeCheckpoint(points, {}));
    for (int64_t base = 0; base < next_; ++base) {
      if (world_.Exists(Index(base))) world_.RemoveFile(Index(base));
    }
  }

  support::StorageWorld world_;
  int next_ = 0;
};

}  // namespace talosmq::storage
