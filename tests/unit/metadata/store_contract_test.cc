#include "unit/metadata/store_contract.h"

#include "talosmq/error.h"

#include <gmock/gmock.h>

namespace talosmq::metadata {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLeaseTime = absl::Seconds(4);

std::vector<std::string> KeysOf(const ListResult& result) {
  std::vector<std::string> keys;
  for (const KeyValue& entry : result.entries) keys.push_back(entry.key);
  return keys;
}

std::vector<Operation> Puts(size_t count, size_t value_bytes) {
  std::vector<Operation> operations;
  for (size_t i = 0; i < count; ++i) {
    operations.push_back(
        {.key = "key/" + std::to_string(10'000 + i), .value = std::string(value_bytes, 'v')});
  }
  return operations;
}

TEST_P(MetadataStoreContractTest, AbsentKeyIsNothingAndNoError) {
  EXPECT_EQ(Get("absent").value(), std::nullopt);
  const ListResult none = List("absent/", "").value();
  EXPECT_THAT(none.entries, IsEmpty());
  EXPECT_TRUE(none.is_complete);
}

TEST_P(MetadataStoreContractTest, EmptyKeysAreRefused) {
  EXPECT_EQ(ReasonOf(Get("").status()), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(Commit({.compares = {}, .operations = {{.key = "", .value = "v"}}}).status()),
            Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(Commit({.compares = {{.key = ""}}, .operations = {}}).status()),
            Reason::kInvalidArgument);
}

TEST_P(MetadataStoreContractTest, KeyChangedTwiceIsRefused) {
  const auto result =
      Commit({.compares = {}, .operations = {{.key = "a", .value = "1"}, {.key = "a"}}});
  EXPECT_EQ(ReasonOf(result.status()), Reason::kInvalidArgument);
  EXPECT_FALSE(Exists("a"));
}

TEST_P(MetadataStoreContractTest, TransactionOfTooManyPartsIsRefused) {
  const auto operations = Commit({.compares = {}, .operations = Puts(kTransactionPartsMax + 1, 1)});
  EXPECT_EQ(ReasonOf(operations.status()), Reason::kInvalidArgument);
  Transaction compares;
  for (size_t i = 0; i <= kTransactionPartsMax; ++i) {
    compares.compares.push_back({.key = "key/" + std::to_string(i)});
  }
  EXPECT_EQ(ReasonOf(Commit(std::move(compares)).status()), Reason::kInvalidArgument);
  EXPECT_THAT(List("key/", "").value().entries, IsEmpty());
}

TEST_P(MetadataStoreContractTest, TransactionAtTheLimitsIsTaken) {
  Transaction transaction{.compares = {}, .operations = Puts(kTransactionPartsMax, 1)};
  for (const Operation& put : transaction.operations) transaction.compares.push_back({put.key});
  EXPECT_TRUE(Commit(std::move(transaction)).value().succeeded);
  EXPECT_THAT(List("key/", "").value().entries, SizeIs(kTransactionPartsMax));
  Put("large", std::string(kValueBytesMax, 'v'));
  EXPECT_EQ(ValueOf("large").size(), kValueBytesMax);
}

TEST_P(MetadataStoreContractTest, TooManyBytesAreRefused) {
  const auto value = Commit({.compares = {}, .operations = Puts(1, kValueBytesMax + 1)});
  EXPECT_EQ(ReasonOf(value.status()), Reason::kInvalidArgument);
  const auto all = Commit({.compares = {}, .operations = Puts(8, kValueBytesMax)});
  EXPECT_EQ(ReasonOf(all.status()), Reason::kInvalidArgument);
  EXPECT_THAT(List("key/", "").value().entries, IsEmpty());
}

TEST_P(MetadataStoreContractTest, FailedCompareChangesNothing) {
  const Revision before = Put("a", "1");
  const std::vector<Compare> failing = {
      {.key = "a", .mod_revision = Revision::kNone},  // It exists.
      {.key = "a", .mod_revision = static_cast<Revision>(static_cast<int64_t>(before) - 1)},
      {.key = "absent", .mod_revision = before},
  };
  for (const Compare& compare : failing) {
    // One compare that holds does not save the transaction.
    const CommitResult result =
        Commit({.compares = {{.key = "other"}, compare},
                .operations = {{.key = "a", .value = "2"}, {.key = "b", .value = "2"}}})
            .value();
    EXPECT_FALSE(result.succeeded);
    EXPECT_EQ(result.revision, before);
  }
  EXPECT_EQ(ValueOf("a"), "1");
  EXPECT_FALSE(Exists("b"));
}

TEST_P(MetadataStoreContractTest, HoldingComparesLetAllOperationsTakeEffect) {
  const Revision first = Put("a", "1");
  Put("b", "1");
  const CommitResult result =
      Commit({.compares = {{.key = "a", .mod_revision = first}, {.key = "c"}},
              .operations = {{.key = "a", .value = "2"}, {.key = "b"}, {.key = "c", .value = ""}}})
          .value();
  EXPECT_TRUE(result.succeeded);
  EXPECT_EQ(ValueOf("a"), "2");
  EXPECT_FALSE(Exists("b"));
  EXPECT_EQ(ValueOf("c"), "");
  EXPECT_EQ(Get("a").value()->mod_revision, result.revision);
  EXPECT_EQ(Get("c").value()->mod_revision, result.revision);
}

TEST_P(MetadataStoreContractTest, RevisionsOfAKeyTellItsLife) {
  const Revision created = Put("a", "1");
  const Revision changed = Put("a", "2");
  EXPECT_LT(created, changed);
  EXPECT_EQ(Get("a").value()->create_revision, created);
  EXPECT_EQ(Get("a").value()->mod_revision, changed);
  Delete("a");
  const Revision again = Put("a", "3");
  EXPECT_EQ(Get("a").value()->create_revision, again);
}

TEST_P(MetadataStoreContractTest, DeletingAnAbsentKeyRaisesNoRevision) {
  const Revision before = Put("a", "1");
  EXPECT_EQ(Delete("absent"), before);
  EXPECT_EQ(Apply({}), before);
}

TEST_P(MetadataStoreContractTest, ValuesAreAnyBytes) {
  const std::string value("\0\xff\n", 3);
  Put("a", value);
  EXPECT_EQ(ValueOf("a"), value);
}

TEST_P(MetadataStoreContractTest, ListKeepsToPrefixAndOrder) {
  for (const char* key : {"b/2", "b/10", "b/1", "a", "c", "b"}) Put(key, key);
  EXPECT_THAT(KeysOf(List("b/", "").value()), ElementsAre("b/1", "b/10", "b/2"));
  EXPECT_THAT(KeysOf(List("b/", "b/10").value()), ElementsAre("b/10", "b/2"));
  EXPECT_THAT(KeysOf(List("b/", "a").value()), ElementsAre("b/1", "b/10", "b/2"));
  EXPECT_THAT(KeysOf(List("b/", "c").value()), IsEmpty());
  EXPECT_THAT(KeysOf(List("", "").value()), ElementsAre("a", "b", "b/1", "b/10", "b/2", "c"));
}

TEST_P(MetadataStoreContractTest, LongListComesInPages) {
  constexpr size_t kKeys = kListEntriesMax + 50;
  for (size_t i = 0; i < kKeys; i += 50) {
    std::vector<Operation> operations = Puts(i + 50, 1);
    operations.erase(operations.begin(), operations.begin() + static_cast<std::ptrdiff_t>(i));
    Apply(std::move(operations));
  }
  const ListResult first = List("key/", "").value();
  EXPECT_FALSE(first.is_complete);
  ASSERT_THAT(first.entries, SizeIs(kListEntriesMax));
  const ListResult rest = List("key/", first.entries.back().key + '\0').value();
  EXPECT_TRUE(rest.is_complete);
  EXPECT_THAT(rest.entries, SizeIs(50));
  EXPECT_LT(first.entries.back().key, rest.entries.front().key);
}

TEST_P(MetadataStoreContractTest, CallsAreAnsweredInTheirOrder) {
  std::vector<std::string> answers;
  store().Commit({.compares = {}, .operations = {{.key = "a", .value = "1"}}}, form_->executor(),
                 [&](const absl::StatusOr<CommitResult>&) { answers.push_back("commit 1"); });
  store().Get("a", form_->executor(), [&](const absl::StatusOr<std::optional<KeyValue>>& entry) {
    answers.push_back("get " + (*entry)->value);
  });
  store().Commit({.compares = {}, .operations = {{.key = "a", .value = "2"}}}, form_->executor(),
                 [&](const absl::StatusOr<CommitResult>&) { answers.push_back("commit 2"); });
  store().List("a", "", form_->executor(), [&](const absl::StatusOr<ListResult>& list) {
    answers.push_back("list " + list->entries.front().value);
  });
  form_->RunUntil([&] { return answers.size() == 4; });
  EXPECT_THAT(answers, ElementsAre("commit 1", "get 1", "commit 2", "list 2"));
}

TEST_P(MetadataStoreContractTest, WatchTellsEveryLaterChangeInOrder) {
  const Revision before = Put("w/a", "0");
  const Watched watch = Watch("w/", before);
  const Revision first = Put("w/a", "1");
  Put("elsewhere", "x");
  Apply({{.key = "w/a", .value = "2"},
         {.key = "elsewhere", .value = "y"},
         {.key = "w/b", .value = "2"}});
  const Revision last = Delete("w/a");
  RunUntilSeen(watch, 3);
  EXPECT_THAT(watch.seen->events, ElementsAre("w/a=1", "w/a=2 w/b=2", "w/a deleted"));
  EXPECT_EQ(watch.seen->revisions.front(), first);
  EXPECT_EQ(watch.seen->revisions.back(), last);
}

TEST_P(MetadataStoreContractTest, WatchBeginsInThePast) {
  const Revision before = Put("w/a", "0");
  for (int i = 1; i <= 250; ++i) Put("w/a", std::to_string(i));
  const Watched watch = Watch("w/", before);
  RunUntilSeen(watch, 250);
  EXPECT_EQ(watch.seen->events.front(), "w/a=1");
  EXPECT_EQ(watch.seen->events.back(), "w/a=250");
  Put("w/a", "now");
  RunUntilSeen(watch, 251);
  EXPECT_EQ(watch.seen->events.back(), "w/a=now");
}

TEST_P(MetadataStoreContractTest, ListedRevisionIsWhereAWatchGoesOn) {
  Put("w/a", "1");
  const ListResult listed = List("w/", "").value();
  const Watched watch = Watch("w/", listed.revision);
  Put("w/b", "2");
  RunUntilSeen(watch, 1);
  EXPECT_THAT(watch.seen->events, ElementsAre("w/b=2"));
}

TEST_P(MetadataStoreContractTest, EndedWatchIsToldNothingMore) {
  const Watched ended = Watch("w/", Put("w/a", "0"));
  const Watched other = Watch("w/", Put("w/a", "1"));
  store().Unwatch(ended.id);
  const size_t seen = ended.seen->events.size();
  Put("w/a", "2");
  RunUntilSeen(other, 1);
  EXPECT_EQ(ended.seen->events.size(), seen);
}

TEST_P(MetadataStoreContractTest, WatchCanEndItselfInItsCallback) {
  const Revision before = Put("w/a", "0");
  int told = 0;
  std::optional<WatchId> id;
  id = store().Watch("w/", before, form_->executor(), [&](const absl::StatusOr<WatchEvent>&) {
    ++told;
    store().Unwatch(*id);
  });
  const Watched other = Watch("w/", before);
  Put("w/a", "1");
  Put("w/a", "2");
  RunUntilSeen(other, 2);
  EXPECT_EQ(told, 1);
}

TEST_P(MetadataStoreContractTest, LostHistoryIsToldOnceAndNothingMore) {
  const Revision before = Put("w/a", "0");
  Put("w/a", "1");
  form_->ForgetHistory();
  const Watched watch = Watch("w/", before);
  form_->RunUntil([&] { return !watch.seen->errors.empty(); });
  EXPECT_EQ(ReasonOf(watch.seen->errors.front()), Reason::kOffsetOutOfRange);
  const Watched other = Watch("w/", List("w/", "").value().revision);
  Put("w/a", "2");
  RunUntilSeen(other, 1);
  EXPECT_THAT(watch.seen->events, IsEmpty());
  EXPECT_THAT(watch.seen->errors, SizeIs(1));
}

TEST_P(MetadataStoreContractTest, LeaseTimeOutOfBoundsIsRefused) {
  for (const absl::Duration time : {absl::ZeroDuration(), absl::Milliseconds(999),
                                    kLeaseTimeMax + absl::Seconds(1), absl::InfiniteDuration()}) {
    EXPECT_EQ(ReasonOf(Grant(time).status()), Reason::kInvalidArgument);
  }
}

TEST_P(MetadataStoreContractTest, KeysOfAnEndedLeaseGoTogether) {
  const LeaseId lease = Grant(kLeaseTime).value();
  const Revision put = Apply({{.key = "w/a", .value = "1", .lease = lease},
                              {.key = "w/b", .value = "1", .lease = lease},
                              {.key = "w/c", .value = "1"}});
  EXPECT_EQ(Get("w/a").value()->lease, lease);
  const Watched watch = Watch("w/", put);
  form_->PassTime(3 * kLeaseTime);
  RunUntilSeen(watch, 1);
  EXPECT_THAT(watch.seen->events, ElementsAre("w/a deleted w/b deleted"));
  EXPECT_TRUE(Exists("w/c"));
}

TEST_P(MetadataStoreContractTest, RenewedLeaseLives) {
  const LeaseId lease = Grant(kLeaseTime).value();
  Apply({{.key = "a", .value = "1", .lease = lease}});
  for (int i = 0; i < 3; ++i) {
    form_->PassTime(kLeaseTime / 2);
    EXPECT_TRUE(KeepAlive(lease).ok());
  }
  EXPECT_TRUE(Exists("a"));
}

TEST_P(MetadataStoreContractTest, EndedLeaseCannotBeUsed) {
  const LeaseId lease = Grant(kLeaseTime).value();
  EXPECT_TRUE(Revoke(lease).ok());
  EXPECT_EQ(ReasonOf(KeepAlive(lease)), Reason::kConflict);
  EXPECT_EQ(ReasonOf(Revoke(lease)), Reason::kConflict);
  const auto put = Commit(
      {.compares = {},
       .operations = {{.key = "a", .value = "1"}, {.key = "b", .value = "1", .lease = lease}}});
  EXPECT_EQ(ReasonOf(put.status()), Reason::kConflict);
  EXPECT_FALSE(Exists("a"));
}

TEST_P(MetadataStoreContractTest, RevokedLeaseTakesItsKeys) {
  const LeaseId lease = Grant(kLeaseTime).value();
  Apply({{.key = "a", .value = "1", .lease = lease}});
  EXPECT_TRUE(Revoke(lease).ok());
  EXPECT_FALSE(Exists("a"));
}

TEST_P(MetadataStoreContractTest, KeyPutAnewLeavesItsLease) {
  const LeaseId lease = Grant(kLeaseTime).value();
  Apply({{.key = "a", .value = "1", .lease = lease}});
  Put("a", "2");
  EXPECT_TRUE(Revoke(lease).ok());
  EXPECT_EQ(ValueOf("a"), "2");
}

TEST_P(MetadataStoreContractTest, LeasesHaveTheirOwnIds) {
  const LeaseId first = Grant(kLeaseTime).value();
  EXPECT_TRUE(Revoke(first).ok());
  EXPECT_NE(Grant(kLeaseTime).value(), first);
}

}  // namespace
}  // namespace talosmq::metadata
