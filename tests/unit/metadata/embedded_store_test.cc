#include "metadata/embedded/embedded_store.h"

#include "metadata/store_engine.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talosmq::metadata {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A kv store that counts writes and fails them when told.
class WatchedKv final : public kv::Store {
 public:
  explicit WatchedKv(kv::Store& kv) : kv_(kv) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return kv_.Get(key);
  }
  absl::StatusOr<std::vector<kv::Entry>> Scan(std::string_view prefix, std::string_view from,
                                              size_t limit) override {
    return kv_.Scan(prefix, from, limit);
  }
  absl::Status Write(const kv::WriteBatch& batch, kv::Durability durability) override {
    ++writes;
    EXPECT_EQ(durability, kv::Durability::kSynced);
    if (fails) {
      if (fails_late) kv_.Write(batch, durability).IgnoreError();
      return MakeError(Reason::kStorageFull, "disk: ENOSPC");
    }
    return kv_.Write(batch, durability);
  }

  int writes = 0;
  bool fails = false;
  bool fails_late = false;  ///< The write is done and said to have failed.

 private:
  kv::Store& kv_;
};

/// The store over a kv store that outlives it, as a disk outlives the process.
class EmbeddedStoreTest : public ::testing::Test {
 protected:
  EmbeddedStoreTest() { Open(); }
  ~EmbeddedStoreTest() override { store_.reset(); }

  void Open() {
    auto opened = OpenEmbeddedStore({}, kv_, executor_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = std::move(opened).value();
  }
  /// The process dies, the disk loses what was not synced, and a new process opens the store.
  void CutPowerAndOpen() {
    store_.reset();
    executor_.DropAll();
    callers_.DropAll();
    disk_->CutPower(0);
    Open();
  }
  void Run() { support::RunAllUntilIdle({&executor_, &callers_}); }

  absl::StatusOr<CommitResult> Commit(Transaction transaction) {
    absl::StatusOr<CommitResult> answer = absl::UnknownError("no answer");
    store_->Commit(std::move(transaction), callers_,
                   [&](absl::StatusOr<CommitResult> result) { answer = std::move(result); });
    Run();
    return answer;
  }
  Revision Put(const std::string& key, const std::string& value, LeaseId lease = LeaseId::kNone) {
    return Commit({.compares = {}, .operations = {{.key = key, .value = value, .lease = lease}}})
        .value()
        .revision;
  }
  absl::StatusOr<std::optional<KeyValue>> Get(const std::string& key) {
    absl::StatusOr<std::optional<KeyValue>> answer = absl::UnknownError("no answer");
    store_->Get(key, callers_,
                [&](absl::StatusOr<std::optional<KeyValue>> entry) { answer = std::move(entry); });
    Run();
    return answer;
  }
  absl::StatusOr<LeaseId> Grant(absl::Duration time) {
    absl::StatusOr<LeaseId> answer = absl::UnknownError("no answer");
    store_->GrantLease(time, callers_,
                       [&](absl::StatusOr<LeaseId> lease) { answer = std::move(lease); });
    Run();
    return answer;
  }
  /// Writes straight into the kv store, as damage would.
  void Damage(const std::string& key, const std::string& value) {
    kv::WriteBatch batch;
    batch.Put(key, value);
    ASSERT_TRUE(disk_->Write(batch, kv::Durability::kSynced).ok());
  }
  absl::Status Reopen() {
    store_.reset();
    return OpenEmbeddedStore({}, kv_, executor_).status();
  }

  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  support::ManualExecutor callers_{clock_};
  std::unique_ptr<kv::MemoryStore> disk_ = kv::MakeMemoryStore();
  WatchedKv kv_{*disk_};
  std::unique_ptr<MetadataStore> store_;
};

TEST_F(EmbeddedStoreTest, FailedWriteShutsTheStore) {
  Put("a", "1");
  kv_.fails = true;
  const auto failed = Commit({.compares = {}, .operations = {{.key = "a", .value = "2"}}});
  EXPECT_EQ(ReasonOf(failed.status()), Reason::kMetadataUnavailable);
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr("disk: ENOSPC"));
  kv_.fails = false;
  EXPECT_EQ(ReasonOf(Get("a").status()), Reason::kMetadataUnavailable);
  EXPECT_EQ(ReasonOf(Grant(absl::Seconds(5)).status()), Reason::kMetadataUnavailable);
  CutPowerAndOpen();
  EXPECT_EQ(Get("a").value()->value, "1");
}

TEST_F(EmbeddedStoreTest, StoreGoesOnWithoutTheFailedWriteOnceWritesWorkAgain) {
  const LeaseId lease = Grant(absl::Seconds(600)).value();
  std::vector<std::string> told;
  const Revision before = Put("a", "1", lease);
  store_->Watch("", before, callers_, [&](const absl::StatusOr<WatchEvent>& event) {
    for (const auto& change : event->changes) told.push_back(change.key);
  });
  Run();
  kv_.fails = true;
  EXPECT_FALSE(Commit({.compares = {}, .operations = {{.key = "lost", .value = "x"}}}).ok());
  EXPECT_FALSE(Grant(absl::Seconds(5)).ok());
  clock_.Advance(StoreEngine::kReloadInterval);
  Run();
  EXPECT_EQ(ReasonOf(store_->health()), Reason::kMetadataUnavailable) << "no write works yet";

  kv_.fails = false;
  clock_.Advance(StoreEngine::kReloadInterval);
  Run();
  EXPECT_TRUE(store_->health().ok()) << store_->health();
  EXPECT_EQ(Get("lost").value(), std::nullopt);
  EXPECT_EQ(Get("a").value()->value, "1");
  EXPECT_EQ(static_cast<int64_t>(Put("b", "1")), static_cast<int64_t>(before) + 1);
  EXPECT_THAT(told, ::testing::ElementsAre("b"));
  clock_.Advance(absl::Seconds(600));
  Run();
  EXPECT_EQ(Get("a").value(), std::nullopt) << "its lease has ended";
}

TEST_F(EmbeddedStoreTest, FailedWriteThatIsFoundLaterIsToldToWatchers) {
  std::vector<std::string> told;
  store_->Watch("", Put("a", "1"), callers_, [&](const absl::StatusOr<WatchEvent>& event) {
    for (const auto& change : event->changes) told.push_back(change.key);
  });
  Run();
  kv_.fails = kv_.fails_late = true;
  EXPECT_FALSE(Commit({.compares = {}, .operations = {{.key = "late", .value = "x"}}}).ok());
  kv_.fails = false;
  clock_.Advance(StoreEngine::kReloadInterval);
  Run();
  EXPECT_EQ(Get("late").value()->value, "x");
  Put("b", "1");
  EXPECT_THAT(told, ::testing::ElementsAre("late", "b"));
}

// Its start was left out with the round, and nobody was told.
TEST_F(EmbeddedStoreTest, WatchThatBeginsWhileTheStoreIsShutHearsOfWhatComesLater) {
  const Revision before = Put("a", "1");
  kv_.fails = true;
  EXPECT_FALSE(Commit({.compares = {}, .operations = {{.key = "lost", .value = "x"}}}).ok());
  std::vector<std::string> told;
  store_->Watch("", before, callers_, [&](const absl::StatusOr<WatchEvent>& event) {
    for (const auto& change : event->changes) told.push_back(change.key);
  });
  Run();
  kv_.fails = false;
  clock_.Advance(StoreEngine::kReloadInterval);
  Run();
  Put("b", "1");
  EXPECT_THAT(told, ::testing::ElementsAre("b"));
}

TEST_F(EmbeddedStoreTest, WatchBeginsHoweverManyCallsWait) {
  int told = 0;
  for (size_t i = 0; i < StoreEngine::kWaitingCallsMax; ++i) {
    store_->Get("a", callers_, [](const absl::StatusOr<std::optional<KeyValue>>&) {});
  }
  store_->Watch("", Revision::kNone, callers_, [&](const absl::StatusOr<WatchEvent>&) { ++told; });
  Run();
  Put("a", "1");
  EXPECT_EQ(told, 1);
}

TEST_F(EmbeddedStoreTest, NobodyHearsOfAChangeThatWasNotWritten) {
  int told = 0;
  store_->Watch("", Put("a", "1"), callers_, [&](const absl::StatusOr<WatchEvent>&) { ++told; });
  Run();
  kv_.fails = true;
  absl::Status read;
  store_->Commit({.compares = {}, .operations = {{.key = "a", .value = "2"}}}, callers_,
                 [](const absl::StatusOr<CommitResult>&) {});
  store_->Get("a", callers_,
              [&](const absl::StatusOr<std::optional<KeyValue>>& entry) { read = entry.status(); });
  Run();
  EXPECT_EQ(ReasonOf(read), Reason::kMetadataUnavailable);
  EXPECT_EQ(told, 0);
}

TEST_F(EmbeddedStoreTest, AnsweredTransactionsSurviveAPowerCut) {
  const Revision created = Put("a", "1");
  const Revision changed = Put("a", "2");
  Put("b", "1");
  Commit({.compares = {}, .operations = {{.key = "b"}}}).value();
  CutPowerAndOpen();
  const KeyValue entry = *Get("a").value();
  EXPECT_EQ(entry.value, "2");
  EXPECT_EQ(entry.create_revision, created);
  EXPECT_EQ(entry.mod_revision, changed);
  EXPECT_EQ(Get("b").value(), std::nullopt);
  EXPECT_EQ(static_cast<int64_t>(Put("c", "1")), 5);
}

TEST_F(EmbeddedStoreTest, LeasesSurviveAndBeginTheirTimeAnew) {
  const LeaseId lease = Grant(absl::Seconds(10)).value();
  Put("a", "1", lease);
  clock_.Advance(absl::Seconds(9));
  CutPowerAndOpen();
  clock_.Advance(absl::Seconds(9));
  EXPECT_TRUE(Get("a").value().has_value());
  clock_.Advance(absl::Seconds(2));
  Run();
  EXPECT_EQ(Get("a").value(), std::nullopt);
  CutPowerAndOpen();
  EXPECT_NE(Grant(absl::Seconds(10)).value(), lease);
}

TEST_F(EmbeddedStoreTest, WatchFromBeforeARestartIsToldToListAgain) {
  const Revision before = Put("a", "1");
  const Revision last = Put("a", "2");
  CutPowerAndOpen();
  std::vector<absl::Status> told;
  const auto record = [&](const absl::StatusOr<WatchEvent>& e) { told.push_back(e.status()); };
  store_->Watch("", before, callers_, record);
  Run();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(ReasonOf(told.front()), Reason::kOffsetOutOfRange);
  store_->Watch("", last, callers_, record);
  Put("a", "3");
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_TRUE(told.back().ok());
}

TEST_F(EmbeddedStoreTest, WaitingCallsShareOneWrite) {
  kv_.writes = 0;
  int answered = 0;
  for (int i = 0; i < 20; ++i) {
    store_->Commit({.compares = {}, .operations = {{.key = "a", .value = std::to_string(i)}}},
                   callers_, [&](const absl::StatusOr<CommitResult>&) { ++answered; });
  }
  Run();
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(kv_.writes, 1);
  Get("a").value();
  EXPECT_EQ(kv_.writes, 1);
}

TEST_F(EmbeddedStoreTest, RoundOfManyBytesIsWrittenInParts) {
  kv_.writes = 0;
  for (int i = 0; i < 200; ++i) {
    store_->Commit(
        {.compares = {}, .operations = {{.key = "a", .value = std::string(kValueBytesMax, 'v')}}},
        callers_, [](const absl::StatusOr<CommitResult>&) {});
  }
  Run();
  EXPECT_EQ(kv_.writes, 4);
}

TEST_F(EmbeddedStoreTest, CallsBeyondTheBoundAreRefused) {
  size_t refused = 0;
  for (size_t i = 0; i < StoreEngine::kWaitingCallsMax + 3; ++i) {
    store_->Get("a", callers_, [&](const absl::StatusOr<std::optional<KeyValue>>& entry) {
      if (ReasonOf(entry.status()) == Reason::kOverloaded) ++refused;
    });
  }
  Run();
  EXPECT_EQ(refused, 3u);
}

TEST_F(EmbeddedStoreTest, ClosingAnswersWhatStillWaits) {
  absl::Status answer;
  store_->Get("a", callers_, [&](const absl::StatusOr<std::optional<KeyValue>>& entry) {
    answer = entry.status();
  });
  store_.reset();
  Run();
  EXPECT_EQ(ReasonOf(answer), Reason::kShuttingDown);
}

TEST_F(EmbeddedStoreTest, SlowWatchIsToldWhenTheHistoryHasMovedOn) {
  store_.reset();
  store_ = OpenEmbeddedStore({.history_events_max = 150}, kv_, executor_).value();
  std::vector<absl::Status> told;
  store_->Watch("", Revision::kNone, callers_,
                [&](const absl::StatusOr<WatchEvent>& event) { told.push_back(event.status()); });
  for (int i = 0; i < 400; ++i) {
    store_->Commit({.compares = {}, .operations = {{.key = "a", .value = "v"}}}, executor_,
                   [](const absl::StatusOr<CommitResult>&) {});
    executor_.RunUntilIdle();  // The watch's own executor stands still.
  }
  Run();
  ASSERT_FALSE(told.empty());
  EXPECT_LT(told.size(), 150u);
  EXPECT_EQ(ReasonOf(told.back()), Reason::kOffsetOutOfRange);
}

TEST_F(EmbeddedStoreTest, ForeignKeysOfTheSameKvStoreStayOutOfIt) {
  Damage("log/x", "catalogue");
  Put("log/x", "metadata");
  CutPowerAndOpen();
  EXPECT_EQ(Get("log/x").value()->value, "metadata");
  EXPECT_EQ(disk_->Get("log/x").value(), "catalogue");
  store_->List("", "", callers_, [](const absl::StatusOr<ListResult>& list) {
    EXPECT_THAT(list->entries, SizeIs(1));
  });
  Run();
}

TEST_F(EmbeddedStoreTest, DamagedValuesAreRefusedByKey) {
  Put("topics/x", "1");
  struct Case {
    std::string key;
    std::string value;
    Reason reason;
    std::string words;
  };
  const std::string zeros(7, '\0');
  const std::vector<Case> cases = {
      {"meta/key/topics/x", "", Reason::kCorruptData, "expected at least 25 bytes, found 0"},
      {"meta/key/topics/x", "\x02" + std::string(24, '\0'), Reason::kUnsupportedVersion,
       "expected version 1, found 2"},
      {"meta/key/topics/x",
       "\x01" + zeros + "\x01" + zeros + "\x09" + zeros + std::string("\0v", 2),
       Reason::kCorruptData, "expected nothing beyond the head's 1, found 9"},
      {"meta/key/topics/x", "\x01\xff" + std::string(23, '\0'), Reason::kCorruptData,
       "expected a number from 0 up"},
      {"meta/head", "\x01" + std::string(17, '\0'), Reason::kCorruptData, "found 1"},
      {"meta/head", "\x01", Reason::kCorruptData, "expected at least 17 bytes, found 1"},
      {"meta/lease/zz", "\x01" + std::string(8, '\0'), Reason::kCorruptData, "16 hex digits"},
  };
  for (const Case& damage : cases) {
    const std::optional<std::string> sound = disk_->Get(damage.key).value();
    Damage(damage.key, damage.value);
    const absl::Status status = Reopen();
    EXPECT_EQ(ReasonOf(status), damage.reason) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(damage.key + ": "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(damage.words));
    kv::WriteBatch mend;
    if (sound.has_value()) {
      mend.Put(damage.key, *sound);
    } else {
      mend.Delete(damage.key);
    }
    ASSERT_TRUE(disk_->Write(mend, kv::Durability::kSynced).ok());
  }
  EXPECT_TRUE(Reopen().ok());
}

}  // namespace
}  // namespace talosmq::metadata
