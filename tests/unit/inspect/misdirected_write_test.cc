// Each write of a running server once lands elsewhere and reports success: what it was meant for,
// and what it destroyed, is refused, and `log verify` says so before anybody has read it (R32, G8).

#include "inspect/inspect.h"
#include "support/checkers.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"

#include <functional>
#include <optional>
#include <ostream>
#include <string>

namespace talosmq::inspect {
namespace {

using support::DamageChecker;
using support::DurableChecker;
using support::StorageWorld;
using support::WritePlace;

constexpr size_t kRunBytes = 5'000;  // A batch of it has an index entry of its own.
const TopicPartition kOther{.topic_id = StorageWorld::kLog.topic_id, .partition = PartitionId(4)};

/// Where a write lands.
struct Target {
  std::string name;
  std::function<WritePlace(StorageWorld&, const WritePlace& meant)> place;
};

WritePlace Nowhere(const WritePlace& meant) { return {.path = meant.path, .position = 1 << 30}; }

/// The file of the same name of the other log.
WritePlace InTheOtherLog(StorageWorld& world, const WritePlace& meant) {
  const std::string folder = world.Path("");
  const std::string other = world.Path("", kOther);
  std::string path = meant.path;
  if (path.starts_with(folder)) {
    path.replace(0, folder.size(), other);
  } else if (path.starts_with(other)) {
    path.replace(0, other.size(), folder);
  }
  return world.Exists(path) ? WritePlace{.path = path, .position = meant.position} : Nowhere(meant);
}

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

class MisdirectedWriteTest : public testing::TestWithParam<Target> {
 protected:
  /// One life of a server with two logs; the `nth` write goes elsewhere, none for 0.
  struct Life {
    explicit Life(uint64_t nth) {
      EXPECT_TRUE(world.Start().ok());
      world.disk().MisdirectNth(nth, [this](const WritePlace& meant) {
        misdirected = meant;
        return GetParam().place(world, meant);
      });
      for (int i = 0; i < 5; ++i) {
        Append(StorageWorld::kLog, i);
        Append(kOther, i);
      }
      world.Advance(absl::Seconds(2));
      world.Run();
      world.Kill();
    }
    void Append(const TopicPartition& log, int number) {
      std::string value = log.ToString() + " " + std::to_string(number) + ":";
      value.resize(kRunBytes, 'v');
      const auto appended = world.AppendDurably({.values = {value}}, log);
      ASSERT_TRUE(appended.ok()) << appended.status();
      durable.Acknowledged(log, appended->base_offset, value);
      damage.Acknowledged(log, appended->base_offset, value);
    }
    bool VerifyFindsDamage() {
      const auto report =
          VerifyDirectory(world.disk(), StorageWorld::kDirectory, Detail::kSegments);
      EXPECT_TRUE(report.ok()) << report.status();
      return report.ok() && report->CountFindings(Severity::kDamage) > 0;
    }

    StorageWorld world;
    std::optional<WritePlace> misdirected;
    DurableChecker durable;
    DamageChecker damage;
  };
};

TEST_P(MisdirectedWriteTest, IsNeverServedAndNeverUnnoticed) {
  int noticed = 0;
  for (uint64_t nth = 1;; ++nth) {
    Life life(nth);
    if (!life.misdirected) break;
    SCOPED_TRACE("write " + std::to_string(nth) + ": " + life.misdirected->path + " at " +
                 std::to_string(life.misdirected->position));
    const bool is_told = life.VerifyFindsDamage();
    ASSERT_TRUE(life.world.Start().ok());
    for (const TopicPartition& log : {StorageWorld::kLog, kOther}) {
      const auto report = life.world.Open(log);
      ASSERT_TRUE(report.ok()) << report.status();
      const auto found = life.world.ReadAroundDamage(log);
      ASSERT_TRUE(found.ok()) << found.status();
      const absl::Status served = life.damage.Check(log, found->records, found->refused);
      EXPECT_TRUE(served.ok()) << served;
      if (life.durable.Check(log, found->records).ok()) continue;
      EXPECT_TRUE(is_told) << "log verify has seen nothing";
      ++noticed;
    }
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GE(noticed, 8) << "of ten batches, of which the first may have stayed in their places";
}

INSTANTIATE_TEST_SUITE_P(
    Places, MisdirectedWriteTest,
    testing::Values(Target{.name = "Lost",
                           .place = [](StorageWorld&,
                                       const WritePlace& at) { return Nowhere(at); }},
                    Target{.name = "EarlierInTheFile",
                           .place =
                               [](StorageWorld&, const WritePlace& at) {
                                 return WritePlace{.path = at.path, .position = at.position / 2};
                               }},
                    Target{.name = "InTheOtherLog", .place = InTheOtherLog}),
    [](const auto& target) { return target.param.name; });

}  // namespace
}  // namespace talosmq::inspect
