#include "client/push_core.h"

#include "base/mutex.h"
#include "record/batch.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "absl/synchronization/notification.h"
#include "unit/client/scripted_transport.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace talosmq::client {
namespace {

using ::testing::ElementsAre;

class NoRandom final : public base::Random {
 public:
  uint64_t Next() override { return 0; }
};

/// What processors were told, in order. Thread-safe.
class Journal {
 public:
  void Add(std::string line) {
    const base::MutexLock lock(mutex_);
    lines_.push_back(std::move(line));
    came_.SignalAll();
  }
  /// Waits until there are so many lines.
  std::vector<std::string> Await(size_t count) {
    const base::MutexLock lock(mutex_);
    while (lines_.size() < count) came_.Wait(mutex_);
    return lines_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar came_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

/// Writes into a journal what it is told, and answers as the test says.
class JournalProcessor final : public Processor {
 public:
  using Answer = std::function<absl::Status(const RecordBatchView&)>;
  JournalProcessor(Journal& journal, Answer answer)
      : journal_(journal), answer_(std::move(answer)) {}

  void Init(PartitionId partition, Offset start) override {
    journal_.Add("init " + std::to_string(partition.value()) + "@" + std::to_string(start.value()));
  }
  absl::Status Process(const RecordBatchView& records) override {
    absl::Status answer = answer_(records);
    journal_.Add("records " + std::to_string(records.records().front().offset.value()) + ".." +
                 std::to_string(records.records().back().offset.value()));
    return answer;
  }
  void Shutdown(const absl::Status& why) override {
    journal_.Add("shutdown " + std::string(ReasonName(ReasonOf(why))));
  }

 private:
  Journal& journal_;
  const Answer answer_;
};

constexpr int64_t kLaneBytes = 64 << 10;
constexpr int64_t kPrefetchBytes = 1 << 20;

/// The lanes of a push consumer with their real threads; the client's thread and the cluster are
/// the test's.
class PushCoreTest : public ::testing::Test {
 protected:
  PushCoreTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    net_->topics["events"] = {ScriptedTransport::IdOf(1), {{0, 4}, {0, 4}}};
    core_ = std::make_unique<ClientCore>(
        ClientOptions{.server = "seed:1"}, std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = clock_, .random = random_});
    core_->metadata().FindByName("events", [&](absl::StatusOr<TopicImagePtr> image) {
      push_ = PushCore::Create(*core_,
                               {.prefetch_bytes = kPrefetchBytes, .on_corrupt = OnCorrupt::kSkip},
                               kLaneBytes, *std::move(image));
      push_->Start();
    });
    Run();
  }
  ~PushCoreTest() override {
    for (const auto& lane : lanes_) lane->Stop();
    push_->Close();
    push_ = nullptr;
    executor_.DropAll();
  }

  void Run() { executor_.RunUntilIdle(); }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    Run();
  }
  /// Lives as long as the lanes.
  Journal& NewJournal() { return *journals_.emplace_back(std::make_unique<Journal>()); }
  PushLane& Add(int32_t number, int64_t from, Journal& journal, JournalProcessor::Answer answer) {
    const PartitionId partition(number);
    lanes_.push_back(std::make_shared<PushLane>(
        PushLane::Options{
            .topic = "events",
            .source = {.topic_id = ScriptedTransport::IdOf(1), .partition = partition},
            .start = Offset(from),
            .consumer = {.on_corrupt = OnCorrupt::kSkip,
                         .on_skipped =
                             [&journal](const SkippedOffsets& skipped) {
                               journal.Add("skipped " + std::to_string(skipped.first.value()) +
                                           ".." + std::to_string(skipped.next.value()));
                             }},
            .low_bytes = kLaneBytes / 2},
        PushLane::Deps{.processor = std::make_unique<JournalProcessor>(journal, std::move(answer)),
                       .on_low =
                           [this, partition] {
                             executor_.Post([this, partition] { push_->OnLow(partition); });
                             low_.Add("low");
                           },
                       .on_ended =
                           [this, partition] {
                             executor_.Post([this, partition] { push_->OnEnded(partition); });
                           },
                       .metrics = nullptr}));
    push_->Add(partition, Offset(from), lanes_.back());
    Run();
    return *lanes_.back();
  }

  ScriptedFetchStream::End& stream() { return net_->fetch(); }
  std::vector<uint64_t> Unsubscribed() {
    std::vector<uint64_t> all;
    for (const FetchCommand& command : stream().commands) {
      all.insert(all.end(), command.unsubscribe.begin(), command.unsubscribe.end());
    }
    return all;
  }
  /// Sends a batch of one record with about so many bytes.
  void SendRecord(uint64_t subscription, int64_t offset, size_t bytes) {
    record::BatchBuilder builder(record::Codec::kNone, bytes + 100);
    const std::string value(bytes, 'x');
    builder.Append({.timestamp_ms = 1, .value = value});
    base::Buffer batch = *builder.Finish({});
    base::StoreBigEndian(batch.mutable_bytes().data(), offset);
    stream().Send({.subscription_id = subscription,
                   .status = absl::OkStatus(),
                   .high_watermark = Offset(1000),
                   .next_offset = Offset(offset + 1),
                   .records = std::move(batch)});
    Run();
  }

  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  NoRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::unique_ptr<ClientCore> core_;
  std::shared_ptr<PushCore> push_;
  std::vector<std::unique_ptr<Journal>> journals_;
  std::vector<std::shared_ptr<PushLane>> lanes_;
  Journal low_;
};

absl::Status Accept(const RecordBatchView&) { return absl::OkStatus(); }

TEST_F(PushCoreTest, ASlowProcessorHoldsBackItselfAlone) {
  Journal& slow = NewJournal();
  Journal& quick = NewJournal();
  absl::Notification go;
  const PushLane& full = Add(0, 0, slow, [&](const RecordBatchView&) {
    go.WaitForNotification();
    return absl::OkStatus();
  });
  Add(1, 0, quick, Accept);
  const uint64_t first = stream().subscriptions()[0].id;
  const uint64_t second = stream().subscriptions()[1].id;
  for (int64_t offset = 0; offset < 100; ++offset) SendRecord(first, offset, 20'000);
  EXPECT_EQ(Unsubscribed(), std::vector<uint64_t>{first});
  EXPECT_GT(full.bytes(), kLaneBytes);
  EXPECT_LT(full.bytes(), kLaneBytes + 21'000) << "one chunk more, the rest was thrown away";
  EXPECT_GE(stream().credit_bytes(), kPrefetchBytes + 1'500'000) << "the stream is not held up";

  SendRecord(second, 0, 10);
  EXPECT_THAT(quick.Await(2), ElementsAre("init 1@0", "records 0..0"));

  go.Notify();
  low_.Await(1);
  Run();
  const FetchSubscription again = stream().subscriptions().back();
  EXPECT_EQ(again.source.partition, PartitionId(0));
  EXPECT_EQ(again.offset, Offset(4)) << "behind the last one that was kept";
  SendRecord(again.id, 4, 10);
  EXPECT_THAT(slow.Await(6), ElementsAre("init 0@0", "records 0..0", "records 1..1", "records 2..2",
                                         "records 3..3", "records 4..4"));
}

TEST_F(PushCoreTest, AnErrorOfProcessEndsItsPartitionAlone) {
  Journal& failing = NewJournal();
  Journal& other = NewJournal();
  PushLane& failed = Add(0, 0, failing, [](const RecordBatchView& records) {
    const bool fails = records.records().front().offset == Offset(1);
    return fails ? MakeError(Reason::kConflict, "no") : absl::OkStatus();
  });
  Add(1, 0, other, Accept);
  const uint64_t first = stream().subscriptions()[0].id;
  const uint64_t second = stream().subscriptions()[1].id;
  for (int64_t offset = 0; offset < 5; ++offset) SendRecord(first, offset, 10);
  EXPECT_THAT(failing.Await(4),
              ElementsAre("init 0@0", "records 0..0", "records 1..1", "shutdown Conflict"));
  Run();
  EXPECT_EQ(Unsubscribed(), std::vector<uint64_t>{first});
  EXPECT_EQ(failed.position().position, Offset(1)) << "of the record that was not processed";
  SendRecord(second, 0, 10);
  EXPECT_THAT(other.Await(2), ElementsAre("init 1@0", "records 0..0"));
  failed.Stop();
  EXPECT_EQ(failing.Await(4).size(), 4u) << "no second shutdown";
}

TEST_F(PushCoreTest, StoppingThrowsAwayWhatWaits) {
  Journal& journal = NewJournal();
  absl::Notification entered;
  absl::Notification go;
  PushLane& lane = Add(0, 0, journal, [&](const RecordBatchView&) {
    if (!entered.HasBeenNotified()) entered.Notify();
    go.WaitForNotification();
    return absl::OkStatus();
  });
  for (int64_t offset = 0; offset < 3; ++offset) {
    SendRecord(stream().subscriptions()[0].id, offset, 10);
  }
  entered.WaitForNotification();
  lane.BeginStop();
  go.Notify();
  lane.Stop();
  EXPECT_THAT(journal.Await(3), ElementsAre("init 0@0", "records 0..0", "shutdown None"));
  EXPECT_EQ(lane.bytes(), 0);
  EXPECT_EQ(lane.position().position, Offset(1));
}

TEST_F(PushCoreTest, ADeletedTopicShutsEveryProcessorDown) {
  Journal& first = NewJournal();
  Journal& second = NewJournal();
  Add(0, 3, first, Accept);
  Add(1, 4, second, Accept);
  net_->topics.clear();
  Advance(absl::Seconds(30));
  EXPECT_THAT(first.Await(2), ElementsAre("init 0@3", "shutdown UnknownTopicId"));
  EXPECT_THAT(second.Await(2), ElementsAre("init 1@4", "shutdown UnknownTopicId"));
}

TEST_F(PushCoreTest, APartitionThatIsHeldBackHearsOfTheDeletionToo) {
  Journal& journal = NewJournal();
  absl::Notification go;
  Add(0, 0, journal, [&](const RecordBatchView&) {
    go.WaitForNotification();
    return absl::OkStatus();
  });
  const uint64_t subscription = stream().subscriptions()[0].id;
  SendRecord(subscription, 0, kLaneBytes);
  net_->topics.clear();
  Advance(absl::Seconds(30));
  go.Notify();
  low_.Await(1);
  Run();
  EXPECT_THAT(journal.Await(3), ElementsAre("init 0@0", "records 0..0", "shutdown UnknownTopicId"));
}

TEST_F(PushCoreTest, NewsOfTheEndAreNotQueued) {
  Journal& journal = NewJournal();
  const PushLane& lane = Add(0, 7, journal, Accept);
  stream().Send({.subscription_id = stream().subscriptions()[0].id,
                 .status = absl::OkStatus(),
                 .high_watermark = Offset(9),
                 .next_offset = Offset(7),
                 .records = {}});
  Run();
  EXPECT_EQ(lane.position().high_watermark, Offset(9));
  EXPECT_EQ(lane.position().position, Offset(7));
}

TEST_F(PushCoreTest, DamageThatIsSkippedIsToldInItsPlace) {
  Journal& journal = NewJournal();
  Add(0, 0, journal, Accept);
  SendRecord(stream().subscriptions().back().id, 0, 10);
  stream().Refuse(stream().subscriptions().back().id,
                  MakeCorruptData("0.log: damaged", {.first = Offset(1), .next = Offset(4)}));
  Run();
  SendRecord(stream().subscriptions().back().id, 4, 10);
  EXPECT_THAT(journal.Await(4),
              ElementsAre("init 0@0", "records 0..0", "skipped 1..4", "records 4..4"));
}

TEST_F(PushCoreTest, ARemovedPartitionIsFetchedNoMore) {
  Journal& journal = NewJournal();
  Add(0, 0, journal, Accept);
  const uint64_t subscription = stream().subscriptions()[0].id;
  push_->Remove(PartitionId(0));
  Run();
  EXPECT_EQ(Unsubscribed(), std::vector<uint64_t>{subscription});
  SendRecord(subscription, 0, 10);
  lanes_.back()->Stop();
  EXPECT_THAT(journal.Await(2), ElementsAre("init 0@0", "shutdown None"));
}

}  // namespace
}  // namespace talosmq::client
