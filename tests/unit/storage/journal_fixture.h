#pragma once

#include "storage/journal_format.h"
#include "storage/journal_reader.h"
#include "support/storage_world.h"

#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::storage {

/// A store whose logs all go through the shared journal.
class JournalTest : public testing::Test {
 protected:
  static constexpr const char* kFile = "data/journal/00000000000000000001.journal";
  static constexpr const char* kIdentity = "data/journal/identity";
  static constexpr TopicPartition kOther{.topic_id = TopicId({9, 8, 7}),
                                         .partition = PartitionId(8)};

  JournalTest() {
    world_.store_options().direct_logs_max = 0;
    EXPECT_TRUE(world_.Start().ok());
  }

  void Append(const std::string& value, const TopicPartition& id = support::StorageWorld::kLog) {
    const auto appended = world_.AppendDurably({.values = {value}}, id);
    ASSERT_TRUE(appended.ok()) << appended.status();
  }
  void CutPowerAndStart() {
    world_.CutPower(support::PowerCut::DropUnsynced());
    const absl::Status started = world_.Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  std::vector<std::string> Values(const TopicPartition& id = support::StorageWorld::kLog) {
    std::vector<std::string> values;
    if (!world_.is_open(id)) {
      const auto opened = world_.Open(id);
      EXPECT_TRUE(opened.ok()) << opened.status();
      if (!opened.ok()) return values;
    }
    const auto records = world_.ReadAll(id);
    EXPECT_TRUE(records.ok()) << records.status();
    if (!records.ok()) return values;
    for (const auto& record : *records) values.push_back(record.value);
    return values;
  }
  std::vector<FoundGroup> Groups() {
    const auto identity = DecodeJournalIdentity(base::AsBytes(world_.ReadFile(kIdentity)));
    EXPECT_TRUE(identity.ok()) << identity.status();
    const auto scan = ScanJournal(world_.disk(), "data/journal", *identity);
    EXPECT_TRUE(scan.ok()) << scan.status();
    return scan->groups;
  }
  /// The journal as it is now, and a way back to it.
  std::string journal() { return world_.ReadFile(kFile); }

  support::StorageWorld world_;
};

}  // namespace talosmq::storage
