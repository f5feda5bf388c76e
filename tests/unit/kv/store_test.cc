#include "kv/store.h"

#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

namespace talosmq::kv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

/// A folder of its own that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "talosmq-kv-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

WriteBatch Put(std::string key, std::string value) {
  WriteBatch batch;
  batch.Put(std::move(key), std::move(value));
  return batch;
}

std::vector<std::string> KeysOf(const absl::StatusOr<std::vector<Entry>>& entries) {
  std::vector<std::string> keys;
  for (const Entry& entry : entries.value()) keys.push_back(entry.key);
  return keys;
}

enum class Form { kRocks, kMemory };

/// What every form promises.
class StoreTest : public ::testing::TestWithParam<Form> {
 protected:
  StoreTest() {
    if (GetParam() == Form::kMemory) {
      store_ = MakeMemoryStore();
    } else {
      auto opened = OpenRocksStore(folder_.path() / "db");
      EXPECT_TRUE(opened.ok()) << opened.status();
      store_ = std::move(opened).value();
    }
  }
  void Write(const WriteBatch& batch) {
    ASSERT_TRUE(store_->Write(batch, Durability::kSynced).ok());
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Forms, StoreTest, testing::Values(Form::kRocks, Form::kMemory),
                         [](const auto& form) {
                           return form.param == Form::kRocks ? "Rocks" : "Memory";
                         });

TEST_P(StoreTest, AbsentKeyIsNothingAndNoError) {
  EXPECT_EQ(store_->Get("absent").value(), std::nullopt);
  EXPECT_THAT(store_->Scan("", "", 10).value(), IsEmpty());
}

TEST_P(StoreTest, DeletingAnAbsentKeyIsFine) {
  WriteBatch batch;
  batch.Delete("absent");
  Write(batch);
  Write(WriteBatch());
  const auto value = store_->Get("absent");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*value, std::nullopt);
}

TEST_P(StoreTest, LaterOperationsOfABatchWin) {
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Put("a", "2");
  batch.Put("b", "1");
  batch.Delete("b");
  Write(batch);
  EXPECT_THAT(store_->Get("a").value(), Optional(std::string("2")));
  EXPECT_EQ(store_->Get("b").value(), std::nullopt);
}

TEST_P(StoreTest, KeysAndValuesAreAnyBytes) {
  const std::string key("\0\xff/\0", 4);
  const std::string value("\0\x80", 2);
  Write(Put(key, value));
  Write(Put("empty", ""));
  EXPECT_THAT(store_->Get(key).value(), Optional(value));
  EXPECT_THAT(store_->Get("empty").value(), Optional(std::string()));
}

TEST_P(StoreTest, ScanKeepsToPrefixOrderAndLimit) {
  for (const char* key : {"b/2", "b/10", "b/1", "a", "c", "b"}) Write(Put(key, key));
  EXPECT_THAT(KeysOf(store_->Scan("b/", "", 10)), ElementsAre("b/1", "b/10", "b/2"));
  EXPECT_THAT(KeysOf(store_->Scan("b/", "b/10", 10)), ElementsAre("b/10", "b/2"));
  EXPECT_THAT(KeysOf(store_->Scan("b/", "b/11", 10)), ElementsAre("b/2"));
  EXPECT_THAT(KeysOf(store_->Scan("b/", "", 2)), ElementsAre("b/1", "b/10"));
  EXPECT_THAT(KeysOf(store_->Scan("b/", "", 0)), IsEmpty());
  EXPECT_THAT(KeysOf(store_->Scan("b/", "c", 10)), IsEmpty());
  EXPECT_THAT(KeysOf(store_->Scan("b/", "a", 10)), ElementsAre("b/1", "b/10", "b/2"));
  EXPECT_THAT(KeysOf(store_->Scan("", "", 10)), ElementsAre("a", "b", "b/1", "b/10", "b/2", "c"));
}

TEST_P(StoreTest, BytesAreOrderedUnsigned) {
  Write(Put("\x7f", ""));
  Write(Put("\x80", ""));
  EXPECT_THAT(KeysOf(store_->Scan("", "", 10)), ElementsAre("\x7f", "\x80"));
}

TEST(MemoryStoreTest, PowerCutTakesASuffixOfUnsyncedBatches) {
  const auto store = MakeMemoryStore();
  ASSERT_TRUE(store->Write(Put("synced", "1"), Durability::kSynced).ok());
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_TRUE(store->Write(Put(key, "1"), Durability::kUnsynced).ok());
  }
  EXPECT_EQ(store->unsynced(), 3u);
  store->CutPower(1);
  EXPECT_THAT(KeysOf(store->Scan("", "", 10)), ElementsAre("a", "synced"));
  store->CutPower(0);
  EXPECT_THAT(KeysOf(store->Scan("", "", 10)), ElementsAre("a", "synced"));
}

TEST(MemoryStoreTest, SyncedWriteMakesAllBeforeItDurable) {
  const auto store = MakeMemoryStore();
  ASSERT_TRUE(store->Write(Put("a", "1"), Durability::kUnsynced).ok());
  ASSERT_TRUE(store->Write(Put("b", "1"), Durability::kSynced).ok());
  store->CutPower(0);
  EXPECT_THAT(KeysOf(store->Scan("", "", 10)), ElementsAre("a", "b"));
}

/// The files below RocksDB, and what happens when they are hurt.
class RocksStoreTest : public ::testing::Test {
 protected:
  std::string Directory() const { return folder_.path() / "db"; }
  std::unique_ptr<Store> Open() {
    auto opened = OpenRocksStore(Directory());
    EXPECT_TRUE(opened.ok()) << opened.status();
    return std::move(opened).value();
  }
  /// A database whose write-ahead log holds `keys`, one batch each.
  void Fill(const std::vector<std::string>& keys) {
    const auto store = Open();
    for (const std::string& key : keys) {
      ASSERT_TRUE(store->Write(Put(key, std::string(100, 'v')), Durability::kSynced).ok());
    }
  }
  std::filesystem::path WriteAheadLog() const {
    for (const auto& file : std::filesystem::directory_iterator(Directory())) {
      if (file.path().extension() == ".log") return file.path();
    }
    ADD_FAILURE() << "no write-ahead log in " << Directory();
    return {};
  }

  TemporaryFolder folder_;
};

TEST_F(RocksStoreTest, MissingParentIsToldWithThePath) {
  const auto opened = OpenRocksStore(folder_.path() / "no" / "such" / "folder");
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("no/such/folder: open: "));
}

TEST_F(RocksStoreTest, SecondOpenOfADirectoryIsRefused) {
  const auto store = Open();
  EXPECT_FALSE(OpenRocksStore(Directory()).ok());
}

TEST_F(RocksStoreTest, SyncedBatchesAreFoundAfterReopening) {
  Fill({"a", "b"});
  EXPECT_THAT(KeysOf(Open()->Scan("", "", 10)), ElementsAre("a", "b"));
}

TEST_F(RocksStoreTest, CutOffTailOfTheLogIsDropped) {
  Fill({"a", "b", "c"});
  std::filesystem::resize_file(WriteAheadLog(), std::filesystem::file_size(WriteAheadLog()) - 50);
  EXPECT_THAT(KeysOf(Open()->Scan("", "", 10)), ElementsAre("a", "b"));
}

TEST_F(RocksStoreTest, DamageBelowTheTailIsReportedAndNothingIsDropped) {
  Fill({"a", "b", "c"});
  {
    std::fstream log(WriteAheadLog(), std::ios::in | std::ios::out | std::ios::binary);
    log.seekp(60);
    log.put('\xee');
  }
  const auto opened = OpenRocksStore(Directory());
  EXPECT_EQ(ReasonOf(opened.status()), Reason::kCorruptData) << opened.status();
}

TEST_F(RocksStoreTest, FailedWriteFencesUntilReopened) {
  // With a limit on the size of files the kernel refuses to let the log grow.
  ::signal(SIGXFSZ, SIG_IGN);
  {
    const auto store = Open();
    ASSERT_TRUE(store->Write(Put("a", "1"), Durability::kSynced).ok());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit limit{.rlim_cur = 1, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const absl::Status failed = store->Write(Put("b", "1"), Durability::kSynced);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_EQ(ReasonOf(failed), Reason::kInternal) << failed;
    EXPECT_EQ(ReasonOf(store->Write(Put("c", "1"), Durability::kSynced)), Reason::kStorageFenced);
    EXPECT_THAT(store->Get("a").value(), Optional(std::string("1")));
  }
  const auto store = Open();
  EXPECT_TRUE(store->Write(Put("c", "1"), Durability::kSynced).ok());
  EXPECT_THAT(store->Get("a").value(), Optional(std::string("1")));
}

/// A store with a table, a write-ahead log and a count of its writes, and damaged copies of it.
class DamagedRocksStoreTest : public RocksStoreTest {
 protected:
  using Files = std::map<std::string, std::string>;

  void SetUp() override {
    Fill({"a", "b", "c"});  // The next opening makes a table of them.
    Fill({"d", "e", "f"});
    const auto opened = OpenRocksStore(Directory());
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE((*opened)->Write(Put("g", "v"), Durability::kSynced).ok());
    ASSERT_TRUE((*opened)->Write(Put("h", "v"), Durability::kUnsynced).ok());
    mark_ = (*opened)->Sync().value();
  }

  Files Content() const {
    Files files;
    for (const auto& file : std::filesystem::directory_iterator(Directory())) {
      std::ifstream stream(file.path(), std::ios::binary);
      files[file.path().filename()].assign(std::istreambuf_iterator<char>(stream), {});
    }
    return files;
  }
  void Restore(const Files& files) const {
    std::filesystem::remove_all(Directory());
    std::filesystem::create_directory(Directory());
    for (const auto& [name, content] : files) {
      std::ofstream(Directory() + "/" + name, std::ios::binary) << content;
    }
  }

  /// Refused with every file as it was, or with nothing missing; true when refused.
  bool IsRefused(const Files& damaged, const std::string& damage) const {
    Restore(damaged);
    const auto opened = OpenRocksStore(Directory(), mark_);
    if (!opened.ok()) {
      EXPECT_EQ(ReasonOf(opened.status()), Reason::kCorruptData) << damage << opened.status();
      EXPECT_THAT(opened.status().ToString(), HasSubstr(Directory()));
      EXPECT_EQ(Content(), damaged) << damage;
      return true;
    }
    const auto entries = (*opened)->Scan("", "", 100);
    EXPECT_TRUE(entries.ok()) << damage << entries.status();
    EXPECT_THAT(KeysOf(entries), ElementsAre("a", "b", "c", "d", "e", "f", "g", "h")) << damage;
    return false;
  }

  static bool IsData(const std::string& name) {
    return name == "CURRENT" || name.starts_with("MANIFEST") || name.ends_with(".sst") ||
           name.ends_with(".log");
  }

  StoreMark mark_;
};

TEST_F(DamagedRocksStoreTest, SoundStoreOpensWithoutAWarning) {
  testing::internal::CaptureStderr();
  const auto opened = OpenRocksStore(Directory(), mark_);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(opened.ok()) << opened.status();
}

TEST_F(DamagedRocksStoreTest, EveryRemovedFileIsMissedOrNotNeeded) {
  const Files whole = Content();
  for (const auto& [name, content] : whole) {
    Files damaged = whole;
    damaged.erase(name);
    EXPECT_EQ(IsRefused(damaged, "removed " + name), IsData(name)) << name;
  }
}

TEST_F(DamagedRocksStoreTest, EveryCutFileIsRefusedOrNotNeeded) {
  const Files whole = Content();
  for (const auto& [name, content] : whole) {
    const size_t step = content.size() / 40 + 1;
    for (size_t size = 0; size < content.size(); size += step) {
      Files damaged = whole;
      damaged[name].resize(size);
      const bool is_refused = IsRefused(damaged, name + " cut at " + std::to_string(size));
      EXPECT_TRUE(is_refused || size > 0 || !IsData(name)) << name;
    }
  }
}

TEST_F(DamagedRocksStoreTest, EveryFlippedBitIsRefusedOrChangesNothing) {
  const Files whole = Content();
  for (const auto& [name, content] : whole) {
    int refused = 0;
    // Its records are few and short: each byte counts.
    const size_t step = name.starts_with("MANIFEST") ? 1 : content.size() / 80 + 1;
    for (size_t at = 0; at < content.size(); at += step) {
      Files damaged = whole;
      damaged[name][at] = static_cast<char>(damaged[name][at] ^ (1 << (at / step % 8)));
      refused += IsRefused(damaged, name + " flipped at " + std::to_string(at));
    }
    EXPECT_EQ(refused > 0, IsData(name)) << name;
  }
}

TEST_F(DamagedRocksStoreTest, OlderCopyIsRefusedWithBothCounts) {
  const Files older = Content();
  {
    const auto opened = OpenRocksStore(Directory(), mark_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE((*opened)->Write(Put("i", "v"), Durability::kSynced).ok());
    mark_ = (*opened)->Sync().value();
  }
  Restore(older);
  const absl::Status refused = OpenRocksStore(Directory(), mark_).status();
  EXPECT_THAT(refused.ToString(), HasSubstr("expected at least 9, found 8"));
  EXPECT_EQ(Content(), older);
}

TEST_F(DamagedRocksStoreTest, FolderWithoutAStoreIsRefusedAndNotFilled) {
  EXPECT_TRUE(IsRefused({}, "empty"));
  std::filesystem::remove(Directory());
  EXPECT_FALSE(OpenRocksStore(Directory(), mark_).ok());
  EXPECT_FALSE(std::filesystem::exists(Directory()));
}

TEST_F(DamagedRocksStoreTest, EveryMarkHoldsForAllThatComesAfterIt) {
  std::vector<StoreMark> marks = {mark_};
  for (int i = 0; i < 3; ++i) {
    const auto opened = OpenRocksStore(Directory(), marks.back());
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ((*opened)->Sync().value().writes, marks.back().writes);
    ASSERT_TRUE((*opened)->Write(Put("x", std::to_string(i)), Durability::kSynced).ok());
    marks.push_back((*opened)->Sync().value());
    EXPECT_EQ(marks.back().writes, mark_.writes + i + 1);
    // The database may have merged files meanwhile: another manifest, the same writes.
    EXPECT_EQ((*opened)->Sync().value().writes, marks.back().writes);
  }
  for (const StoreMark& mark : marks) EXPECT_TRUE(OpenRocksStore(Directory(), mark).ok());
}

/// A database on a disk of its own of 32 MiB. Mounting needs root, as these tests run.
class FullRocksStoreTest : public RocksStoreTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=32m"), 0)
        << "a small tmpfs cannot be mounted: " << std::strerror(errno) << "; run this test as root";
    is_mounted_ = true;
  }
  void TearDown() override {
    if (!is_mounted_) return;
    EXPECT_EQ(::umount2(folder_.path().c_str(), MNT_DETACH), 0);
  }

  std::filesystem::path Filler() const { return folder_.path() / "filler"; }
  void FillUp() const {
    std::ofstream file(Filler(), std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) continue;
  }

  bool is_mounted_ = false;
};

TEST_F(FullRocksStoreTest, WritesAreRefusedWhileTheDiskIsFullAndGoOnWhenThereIsSpace) {
  auto store = Open();
  ASSERT_TRUE(store->Write(Put("first", "1"), Durability::kSynced).ok());
  std::vector<std::string> written = {"first"};
  for (int round = 0; round < 3; ++round) {
    FillUp();
    absl::Status failed;
    std::string key;
    for (int i = 0; failed.ok() && i < 1000; ++i) {
      key = "round " + std::to_string(round) + " key " + std::to_string(i);
      failed = store->Write(Put(key, std::string(10'000, 'v')), Durability::kSynced);
      if (failed.ok()) written.push_back(key);
    }
    ASSERT_EQ(ReasonOf(failed), Reason::kStorageFull) << failed;
    EXPECT_EQ(ReasonOf(store->Write(Put("more", "1"), Durability::kSynced)), Reason::kStorageFull);
    EXPECT_TRUE(store->Get(written.front())->has_value()) << "reads work";

    std::filesystem::remove(Filler());
    key = "after round " + std::to_string(round);
    const absl::Status again = store->Write(Put(key, "1"), Durability::kSynced);
    ASSERT_TRUE(again.ok()) << again;
    written.push_back(key);
  }
  store.reset();
  store = Open();
  for (const std::string& key : written) EXPECT_TRUE(store->Get(key)->has_value()) << key;
}

}  // namespace
}  // namespace talosmq::kv
