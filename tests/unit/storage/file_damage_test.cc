// Every file of a data directory, deleted, cut, with a flipped bit and as an older copy: recovered
// or refused, and never silently wrong (G1, G3, G8; R06 to R08).

#include "base/bytes.h"
#include "record/batch.h"
#include "record/batch_format.h"
#include "storage/catalogue.h"
#include "storage/checkpoint.h"
#include "storage/disk_reserve.h"
#include "storage/epoch_history.h"
#include "storage/journal_format.h"
#include "storage/producer_snapshot.h"
#include "storage/segment.h"
#include "storage/segment_index.h"
#include "support/checkers.h"
#include "support/storage_world.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::storage {
namespace {

using support::DamageChecker;
using support::DurableChecker;
using support::OrderChecker;
using support::StorageWorld;
using testing::HasSubstr;

constexpr size_t kRunBytes = 5'000;  // A batch of it is a run of its own.
constexpr size_t kSmallBytes = 50;
/// Has all its records in segments: [0, 2), [2, 4), [4, 6) and [6, 7), written in two epochs.
const TopicPartition kLog = StorageWorld::kLog;
/// Has the first record in its segment and the others in the journal.
const TopicPartition kJournaled{.topic_id = TopicId({9, 8, 7}), .partition = PartitionId(8)};
/// Was compacted: what is left of [0, 2), [2, 4) and [4, 6), and the segment [6, 7).
const TopicPartition kCompacted{.topic_id = TopicId({9, 8, 6}), .partition = PartitionId(9)};

/// A record of a file: where it begins, and where in it each of its fields does.
struct Piece {
  uint64_t position = 0;
  std::vector<size_t> fields;
};

/// A sound data directory that is about to be damaged, and what must be true afterwards.
class DamagedWorld {
 public:
  DamagedWorld() {
    world_.log_options().segment_bytes = 12'000;
    world_.log_options().compaction = CompactionRules{};
    world_.reserve_options().bytes = 8'192;
    world_.store_options().direct_logs_max = 0;
    Start();
    for (int i = 0; i < 3; ++i) Produce(kLog, kRunBytes);
    Produce(kJournaled, kSmallBytes);
    for (const char* key : {"a", "b", "a"}) ProduceKeyed(key);
    Stop();
    CopyFiles();
    Start();
    for (int i = 0; i < 4; ++i) Produce(kLog, kRunBytes);
    for (const char* key : {"c", "d", "a", "e"}) ProduceKeyed(key);
    Stop();
    Start();
    Compact();
    for (int i = 0; i < 2; ++i) Produce(kJournaled, kSmallBytes);
    world_.Advance(world_.store_options().checkpoint_interval);
    world_.Run();
    // What stands in a newest group of the journal that no checkpoint has recorded counts as never
    // acknowledged once it is damaged, since nothing tells it from one that was being written.
    (void)world_.AppendDurably({.values = {"newest"}}, kJournaled);
    order_.Sent(kJournaled, "newest");
    world_.Kill();
  }

  StorageWorld& world() { return world_; }
  /// Nothing when the file was not there then.
  std::optional<std::string> OlderCopy(const std::string& path) const {
    const auto copy = older_.find(path);
    if (copy == older_.end()) return std::nullopt;
    return copy->second;
  }

  /// Starts, reads, goes on, and reads once more after another crash. Only `hidden` of `log` may be
  /// refused.
  void Verify(const TopicPartition& log, const CorruptRange& hidden) {
    for (int start = 0; start < 2; ++start) {
      SCOPED_TRACE("start " + std::to_string(start));
      const absl::Status started = world_.Start();
      ASSERT_TRUE(started.ok()) << started;
      for (const TopicPartition& id : {kLog, kJournaled, kCompacted}) {
        SCOPED_TRACE(id.ToString());
        const auto report = world_.Open(id);
        ASSERT_TRUE(report.ok()) << report.status();
        VerifyRecords(id, id == log ? hidden : CorruptRange{});
        const auto next = world_.AppendDurably({.values = {"after " + std::to_string(start)}}, id);
        ASSERT_TRUE(next.ok()) << next.status();
        EXPECT_GE(next->base_offset, ends_[id]) << "an acknowledged offset is given again";
        ends_[id] = next->last_offset + 1;
        order_.Sent(id, "after " + std::to_string(start));
      }
      world_.Kill();
    }
  }

  /// The server does not start, says which file it is about, and changes nothing of it.
  void VerifyStartIsRefused(const std::string& path) {
    const auto content = [&] { return world_.Exists(path) ? world_.ReadFile(path) : "no file"; };
    const std::string before = content();
    const absl::Status started = world_.Start();
    EXPECT_EQ(ReasonOf(started), Reason::kCorruptData) << started;
    EXPECT_THAT(std::string(started.message()), HasSubstr(path));
    EXPECT_EQ(content(), before);
  }

 private:
  void Start() { ASSERT_TRUE(world_.Start().ok()); }
  void Stop() { ASSERT_TRUE(world_.Stop().ok()); }

  support::BatchOf Batch(const TopicPartition& log, const std::string& value) {
    return {
        .values = {value},
        .producer = {
            .producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = sequences_[log]}};
  }
  std::string Value(const TopicPartition& log, size_t bytes) {
    std::string value = std::to_string(sequences_[log]) + ":";
    value.resize(bytes, 'v');
    return value;
  }
  Offset AppendAsLast(const TopicPartition& log) {
    const auto appended = world_.AppendDurably(lasts_[log], log);
    if (!appended.ok()) {
      ADD_FAILURE() << appended.status();
      return Offset(-1);
    }
    ++sequences_[log];
    ends_[log] = appended->last_offset + 1;
    return appended->base_offset;
  }
  void MustStay(const TopicPartition& log, const support::ReadRecord& record) {
    order_.Sent(log, record.value);
    durable_.Acknowledged(log, record.offset, record.value);
    damage_.Acknowledged(log, record.offset, record.value);
  }
  void Produce(const TopicPartition& log, size_t bytes) {
    const std::string value = Value(log, bytes);
    lasts_[log] = Batch(log, value);
    MustStay(log, {.offset = AppendAsLast(log), .value = value});
  }
  void ProduceKeyed(const std::string& key) {
    const std::string value = Value(kCompacted, kRunBytes);
    lasts_[kCompacted] = Batch(kCompacted, value);
    lasts_[kCompacted].keys = {key};
    std::erase_if(keyed_, [&](const auto& older) { return older.first == key; });
    keyed_.emplace_back(key, support::ReadRecord{AppendAsLast(kCompacted), value});
  }
  void Compact() {
    ASSERT_TRUE(world_.Open(kCompacted).ok());
    const absl::Status compacted = world_.Compact(kCompacted);
    ASSERT_TRUE(compacted.ok()) << compacted;
    for (const auto& [key, record] : keyed_) MustStay(kCompacted, record);
  }
  void CopyFiles() {
    for (const std::string& folder :
         {std::string(StorageWorld::kDirectory), LogDirectory(StorageWorld::kDirectory, kLog),
          LogDirectory(StorageWorld::kDirectory, kJournaled),
          LogDirectory(StorageWorld::kDirectory, kCompacted)}) {
      const auto names = world_.disk().List(folder);
      ASSERT_TRUE(names.ok()) << names.status();
      for (const std::string& name : *names) {
        const std::string path = folder + "/" + name;
        if (!world_.disk().List(path).ok()) older_[path] = world_.ReadFile(path);
      }
    }
  }

  void VerifyRecords(const TopicPartition& log, const CorruptRange& hidden) {
    auto found = world_.ReadAroundDamage(log);
    ASSERT_TRUE(found.ok()) << found.status();
    const absl::Status served = damage_.Check(log, found->records, found->refused);
    EXPECT_TRUE(served.ok()) << served;
    for (const CorruptRange& range : found->refused) {
      EXPECT_TRUE(range.first >= hidden.first && range.next <= hidden.next)
          << "refused: " << range.first.value() << " to " << range.next.value();
    }
    if (!found->refused.empty()) return;
    VerifyProducer(log);
    const absl::Status durable = durable_.Check(log, found->records);
    EXPECT_TRUE(durable.ok()) << durable;
    Offset next = world_.log(log).log_start();
    if (log == kCompacted) {  // Its order is asked without its gaps.
      for (support::ReadRecord& record : found->records)
        record.offset = std::exchange(next, next + 1);
    }
    const absl::Status order = order_.Check(log, world_.log(log).log_start(), found->records);
    EXPECT_TRUE(order.ok()) << order;
  }
  /// What can be read is not stored twice when the producer sends it once more.
  void VerifyProducer(const TopicPartition& log) {
    const auto again = world_.Append(lasts_[log], log);
    EXPECT_TRUE(!again.ok() || again->is_duplicate) << "at " << again->base_offset.value();
  }

  StorageWorld world_;
  std::map<std::string, std::string> older_;
  DurableChecker durable_;
  DamageChecker damage_;
  OrderChecker order_;
  std::map<TopicPartition, int32_t> sequences_;
  std::map<TopicPartition, Offset> ends_;             ///< Of what was acknowledged.
  std::map<TopicPartition, support::BatchOf> lasts_;  ///< That was acknowledged.
  /// The last record of each key of kCompacted, by offset.
  std::vector<std::pair<std::string, support::ReadRecord>> keyed_;
};

/// A kind of file, and what its damage may cost.
struct FileKind {
  std::string name;
  std::string path;
  std::function<std::vector<Piece>(const std::string& content)> pieces;
  TopicPartition log = kLog;
  CorruptRange hides = {};  ///< Of that log; empty: everything is served.
  /// The same for a file that is sound and lacks its end.
  std::optional<CorruptRange> hides_when_short = {};
  bool refuses_start = false;
};

void PrintTo(const FileKind& kind, std::ostream* out) { *out << kind.path; }

/// A header and as many records of one size as there are.
std::function<std::vector<Piece>(const std::string&)> HeaderAndRecords(
    size_t header_bytes, std::vector<size_t> header_fields, size_t record_bytes,
    std::vector<size_t> record_fields) {
  return [=](const std::string& content) {
    std::vector<Piece> pieces = {{.position = 0, .fields = header_fields}};
    for (uint64_t at = header_bytes; at + record_bytes <= content.size(); at += record_bytes) {
      pieces.push_back({.position = at, .fields = record_fields});
    }
    return pieces;
  };
}

std::vector<Piece> BatchesIn(const std::string& content) {
  std::vector<Piece> pieces;
  for (uint64_t at = 0; at < content.size();) {
    const auto header = record::ParseHeader(base::AsBytes(content).subspan(at));
    if (!header.ok()) break;
    pieces.push_back(
        {.position = at,
         .fields = {record::kBaseOffsetPosition, record::kLengthPosition, record::kEpochPosition,
                    record::kMagicPosition, record::kCrcPosition, record::kAttributesPosition,
                    record::kLastOffsetDeltaPosition, record::kBaseTimestampPosition,
                    record::kMaxTimestampPosition, record::kProducerIdPosition,
                    record::kProducerEpochPosition, record::kBaseSequencePosition,
                    record::kCountPosition, record::kHeaderBytes, header->size() - 1}});
    at += header->size();
  }
  return pieces;
}

/// The header, and each producer and each of its batches.
std::vector<Piece> ProducersIn(const std::string& content) {
  std::vector<Piece> pieces = {{.position = 0, .fields = {0, 4, 5, 8, 24, 28, 36, 40, 44}}};
  for (uint64_t at = kSnapshotHeaderBytes; at < content.size();) {
    pieces.push_back({.position = at, .fields = {0, 8, 10, 11, 12}});
    const int batches = content[at + 10];
    at += kSnapshotProducerBytes;
    for (int i = 0; i < batches; ++i, at += kSnapshotBatchBytes) {
      pieces.push_back({.position = at, .fields = {0, 4, 8, 16, 24}});
    }
  }
  return pieces;
}

/// The heads of groups, and their copies, each with one section.
std::vector<Piece> GroupsIn(const std::string& content) {
  constexpr size_t kTable = kJournalHeaderBytes;
  constexpr size_t kBehindTable = kTable + kJournalSectionBytes;
  std::vector<Piece> pieces;
  for (uint64_t at = 0; at + kJournalBlockBytes <= content.size(); at += kJournalBlockBytes) {
    if (!content.substr(at).starts_with("TMQJ")) continue;
    pieces.push_back({.position = at,
                      .fields = {0,
                                 4,
                                 5,
                                 8,
                                 16,
                                 24,
                                 32,
                                 36,
                                 40,
                                 48,
                                 56,
                                 60,
                                 kTable + 0,
                                 kTable + 16,
                                 kTable + 20,
                                 kTable + 28,
                                 kTable + 36,
                                 kTable + 44,
                                 kTable + 52,
                                 kTable + 56,
                                 kTable + 60,
                                 kBehindTable,
                                 kBehindTable + kJournalEpochBytes + record::kBaseOffsetPosition,
                                 kBehindTable + record::kHeaderBytes,
                                 kJournalBlockBytes - 1}});
  }
  return pieces;
}

std::string PathOf(Offset base, std::string_view suffix) {
  return LogDirectory(StorageWorld::kDirectory, kLog) + "/" + OffsetFileName(base, suffix);
}
std::string PathOfCompacted(const SegmentName& name, std::string_view suffix) {
  return LogDirectory(StorageWorld::kDirectory, kCompacted) + "/" + SegmentFileName(name, suffix);
}
std::string InDirectory(std::string_view name) {
  return std::string(StorageWorld::kDirectory) + "/" + std::string(name);
}

/// All whose loss is noticed.
std::vector<FileKind> FileKinds() {
  const auto index = HeaderAndRecords(kIndexHeaderBytes, {0, 4, 5, 8, 24, 28, 36, 44, 60},
                                      kIndexEntryBytes, {0, 4, 8, 12, 16, 24, 28});
  const SegmentName compacted{.base = Offset(2), .end = Offset(4), .generation = 2};
  return {
      {.name = "FirstSegment",
       .path = PathOf(Offset(0), kSegmentSuffix),
       .pieces = BatchesIn,
       .hides = {.first = Offset(0), .next = Offset(2)}},
      {.name = "SealedSegment",
       .path = PathOf(Offset(2), kSegmentSuffix),
       .pieces = BatchesIn,
       .hides = {.first = Offset(2), .next = Offset(4)}},
      {.name = "LastSegment",
       .path = PathOf(Offset(6), kSegmentSuffix),
       .pieces = BatchesIn,
       .hides = {.first = Offset(6), .next = Offset(7)}},
      {.name = "IndexOfASealedSegment", .path = PathOf(Offset(2), kIndexSuffix), .pieces = index},
      {.name = "IndexOfTheLastSegment", .path = PathOf(Offset(6), kIndexSuffix), .pieces = index},
      {.name = "CompactedSegment",
       .path = PathOfCompacted(compacted, kSegmentSuffix),
       .pieces = BatchesIn,
       .log = kCompacted,
       .hides = {.first = Offset(2), .next = Offset(4)}},
      {.name = "IndexOfACompactedSegment",
       .path = PathOfCompacted(compacted, kIndexSuffix),
       .pieces = index,
       .log = kCompacted},
      {.name = "Producers", .path = PathOf(Offset(7), kSnapshotSuffix), .pieces = ProducersIn},
      {.name = "Epochs",
       .path = LogDirectory(StorageWorld::kDirectory, kLog) + "/epochs",
       .pieces =
           HeaderAndRecords(kEpochsHeaderBytes, {0, 4, 5, 8, 24, 28}, kEpochEntryBytes, {0, 4, 12}),
       .hides_when_short = CorruptRange{.first = Offset(3), .next = Offset(7)}},
      {.name = "Checkpoint",
       .path = InDirectory(kCheckpointFileName),
       .pieces = HeaderAndRecords(kCheckpointHeaderBytes + kCheckpointMarkBytes,
                                  {0, 4, 5, 8, 12, 16, 24, 32}, kCheckpointEntryBytes,
                                  {0, 16, 20, 28, 36, 44, 52, 60})},
      {.name = "JournalIdentity",
       .path = InDirectory("journal/identity"),
       .pieces =
           [](const std::string&) {
             return std::vector<Piece>{{.position = 0, .fields = {0, 4, 5, 8, 24}}};
           },
       .refuses_start = true},
      {.name = "Reserve",
       .path = InDirectory(DiskReserve::kFileName),
       .pieces =
           [](const std::string&) { return std::vector<Piece>{{.position = 0, .fields = {0}}}; }},
  };
}

/// One that lacks groups is RecordedJournalTest's.
FileKind Journal() {
  return {.name = "Journal",
          .path = InDirectory("journal/00000000000000000003.journal"),
          .pieces = GroupsIn,
          .log = kJournaled,
          .hides = {.first = Offset(1), .next = Offset(3)}};
}

std::vector<FileKind> AllFileKinds() {
  std::vector<FileKind> kinds = FileKinds();
  kinds.push_back(Journal());
  return kinds;
}

class FileDamageTest : public testing::TestWithParam<FileKind> {
 protected:
  static std::string Content() { return DamagedWorld().world().ReadFile(GetParam().path); }

  static void Verify(DamagedWorld& damaged, const CorruptRange& hidden = GetParam().hides) {
    const FileKind& kind = GetParam();
    if (kind.refuses_start) return damaged.VerifyStartIsRefused(kind.path);
    damaged.Verify(kind.log, hidden);
  }
  static CorruptRange HiddenWhenShort() {
    return GetParam().hides_when_short.value_or(GetParam().hides);
  }
};

class FileLossTest : public FileDamageTest {};

TEST_P(FileDamageTest, NothingIsRefusedOfASoundOne) { DamagedWorld().Verify(GetParam().log, {}); }

TEST_P(FileLossTest, Deleted) {
  DamagedWorld damaged;
  damaged.world().RemoveFile(GetParam().path);
  Verify(damaged);
}

TEST_P(FileLossTest, CutAtAndAroundTheBorderOfEachRecord) {
  const std::string content = Content();
  std::vector<uint64_t> borders = {content.size()};
  for (const Piece& piece : GetParam().pieces(content)) borders.push_back(piece.position);
  ASSERT_GT(borders.size(), 1U);
  for (const uint64_t border : borders) {
    for (const uint64_t size : {border - 1, border, border + 1}) {
      if (size >= content.size()) continue;  // Also of one byte before the first border.
      SCOPED_TRACE("cut at " + std::to_string(size));
      DamagedWorld damaged;
      damaged.world().Resize(GetParam().path, size);
      Verify(damaged, HiddenWhenShort());
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST_P(FileDamageTest, OneBitFlippedInEachField) {
  const std::string content = Content();
  for (const Piece& piece : GetParam().pieces(content)) {
    for (const size_t field : piece.fields) {
      const uint64_t position = piece.position + field;
      SCOPED_TRACE("bit at " + std::to_string(position));
      DamagedWorld damaged;
      damaged.world().FlipBit(GetParam().path, position, static_cast<int>(position % 8));
      Verify(damaged);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST_P(FileLossTest, ReplacedByAnOlderCopy) {
  DamagedWorld damaged;
  const auto older = damaged.OlderCopy(GetParam().path);
  if (!older) return damaged.Verify(GetParam().log, {});  // There was none.
  damaged.world().WriteFile(GetParam().path, *older);
  Verify(damaged, HiddenWhenShort());
}

class CatalogueDamageTest : public testing::Test {
 protected:
  void Put(std::string value) {
    kv::WriteBatch batch;
    batch.Put(CatalogueKey(kJournaled), std::move(value));
    ASSERT_TRUE(damaged_.world().catalogue().Write(batch, kv::Durability::kSynced).ok());
  }

  DamagedWorld damaged_;
};

TEST_F(CatalogueDamageTest, EntryThatIsNoneOfOursRefusesTheStartAndIsKept) {
  for (const std::string& value : {std::string(), std::string("\2"), std::string("\1\1")}) {
    Put(value);
    const absl::Status started = damaged_.world().Start();
    EXPECT_EQ(ReasonOf(started), Reason::kUnsupportedVersion) << started;
    EXPECT_THAT(std::string(started.message()), HasSubstr(CatalogueKey(kJournaled)));
  }
  Put(std::string(1, static_cast<char>(kCatalogueVersion)));
  damaged_.Verify(kJournaled, {});
}

TEST_F(CatalogueDamageTest, EntryThatIsLostHidesNoSegment) {
  kv::WriteBatch batch;
  batch.Delete(CatalogueKey(kLog));
  ASSERT_TRUE(damaged_.world().catalogue().Write(batch, kv::Durability::kSynced).ok());
  damaged_.Verify(kLog, {});
}

// Its part of the journal was passed over as that of a deleted log: acknowledged records went, and
// their offsets were given again.
TEST_F(CatalogueDamageTest, EntryThatIsLostHidesNothingOfTheJournal) {
  kv::WriteBatch batch;
  batch.Delete(CatalogueKey(kJournaled));
  ASSERT_TRUE(damaged_.world().catalogue().Write(batch, kv::Durability::kSynced).ok());
  damaged_.Verify(kJournaled, {});
  EXPECT_TRUE(*Catalogue(damaged_.world().catalogue()).Contains(kJournaled));
}

TEST(JournalDamageTest, NewestGroupThatIsCutIsLeftOutAlone) {
  const std::string path = Journal().path;
  const std::string content = DamagedWorld().world().ReadFile(path);
  const uint64_t newest = GroupsIn(content).end()[-2].position;  // The last one is its copy.
  for (const uint64_t size : {newest, newest + 1, newest + kJournalHeaderBytes - 1,
                              newest + kJournalHeaderBytes, newest + kJournalBlockBytes}) {
    SCOPED_TRACE("cut at " + std::to_string(size));
    DamagedWorld damaged;
    damaged.world().Resize(path, size);
    damaged.Verify(kJournaled, {});
  }
}

const auto kNameOfKind = [](const testing::TestParamInfo<FileKind>& kind) {
  return kind.param.name;
};
INSTANTIATE_TEST_SUITE_P(Files, FileDamageTest, testing::ValuesIn(AllFileKinds()), kNameOfKind);
INSTANTIATE_TEST_SUITE_P(Files, FileLossTest, testing::ValuesIn(FileKinds()), kNameOfKind);

}  // namespace
}  // namespace talosmq::storage
