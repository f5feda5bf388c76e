#include "talosmq/error.h"

#include "base/bytes.h"
#include "base/status.h"
#include "base/text.h"

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include <set>
#include <string>
#include <vector>

namespace talosmq {
namespace {

/// Every number that stands for a reason; ReasonName answers "Internal" for all others.
std::vector<Reason> AllReasons() {
  std::vector<Reason> reasons;
  for (int number = 1; number <= 200; ++number) {
    const auto reason = static_cast<Reason>(number);
    if (reason == Reason::kInternal || ReasonName(reason) != "Internal") reasons.push_back(reason);
  }
  return reasons;
}

TEST(ErrorTest, EveryReasonTravelsInItsStatus) {
  EXPECT_EQ(AllReasons().size(), 56u);
  for (const Reason reason : AllReasons()) {
    const absl::Status status = MakeError(reason, "words");
    EXPECT_FALSE(status.ok()) << ReasonName(reason);
    EXPECT_EQ(ReasonOf(status), reason) << ReasonName(reason);
    EXPECT_EQ(status.message(), "words");
  }
}

TEST(ErrorTest, EveryReasonHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const Reason reason : AllReasons()) {
    EXPECT_TRUE(names.insert(ReasonName(reason)).second) << ReasonName(reason);
  }
}

TEST(ErrorTest, NumbersAreThoseOfTheWire) {
  EXPECT_EQ(static_cast<int>(Reason::kCorruptBatch), 12);
  EXPECT_EQ(static_cast<int>(Reason::kNotLeader), 40);
  EXPECT_EQ(static_cast<int>(Reason::kOverloaded), 60);
  EXPECT_EQ(static_cast<int>(Reason::kStorageFenced), 80);
  EXPECT_EQ(static_cast<int>(Reason::kMaybeStored), 100);
}

TEST(ErrorTest, OkHasNoReason) { EXPECT_EQ(ReasonOf(absl::OkStatus()), Reason::kNone); }

TEST(ErrorTest, ForeignStatusIsInternal) {
  EXPECT_EQ(ReasonOf(absl::NotFoundError("of a library")), Reason::kInternal);
}

TEST(ErrorTest, RetryIsSafeOnlyWhereNothingCanHaveHappened) {
  EXPECT_TRUE(IsRetrySafe(Reason::kOverloaded));
  EXPECT_TRUE(IsRetrySafe(Reason::kNotLeader));
  EXPECT_TRUE(IsRetrySafe(Reason::kStorageFull));
  EXPECT_FALSE(IsRetrySafe(Reason::kStorageFenced));
  EXPECT_FALSE(IsRetrySafe(Reason::kMaybeStored));
  EXPECT_FALSE(IsRetrySafe(Reason::kDeadlineExceeded));
  EXPECT_FALSE(IsRetrySafe(Reason::kCorruptBatch));
}

TEST(ErrorTest, NotLeaderTellsWhoLeads) {
  const absl::Status status = MakeNotLeader("ask another", "10.0.0.1:9191");
  EXPECT_EQ(ReasonOf(status), Reason::kNotLeader);
  EXPECT_EQ(LeaderAddressOf(status), "10.0.0.1:9191");
  EXPECT_EQ(LeaderAddressOf(MakeError(Reason::kNotLeader, "nobody knows")), "");
}

TEST(ErrorTest, CorruptDataTellsWhichOffsetsItHides) {
  const CorruptRange range{.first = Offset(7), .next = Offset(12)};
  const absl::Status status = base::Annotate(MakeCorruptData("file 3", range), "partition 3");
  EXPECT_EQ(ReasonOf(status), Reason::kCorruptData);
  EXPECT_EQ(CorruptRangeOf(status), range);
  EXPECT_EQ(CorruptRangeOf(MakeError(Reason::kCorruptData, "node.json")), std::nullopt);
  EXPECT_EQ(CorruptRangeOf(absl::OkStatus()), std::nullopt);
}

TEST(AnnotateTest, ReasonAndPayloadsStay) {
  const absl::Status status = base::Annotate(MakeNotLeader("words", "host:1"), "partition 3");
  EXPECT_EQ(status.message(), "partition 3: words");
  EXPECT_EQ(ReasonOf(status), Reason::kNotLeader);
  EXPECT_EQ(LeaderAddressOf(status), "host:1");
}

TEST(AnnotateTest, OkStaysOk) { EXPECT_TRUE(base::Annotate(absl::OkStatus(), "context").ok()); }

absl::StatusOr<int> Half(int number) {
  if (number % 2 != 0) return MakeError(Reason::kInvalidArgument, "odd");
  return number / 2;
}

absl::StatusOr<int> Quarter(int number) {
  TALOSMQ_ASSIGN_OR_RETURN(const int half, Half(number));
  TALOSMQ_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

absl::Status CheckQuarter(int number) {
  TALOSMQ_RETURN_IF_ERROR(Quarter(number).status());
  return absl::OkStatus();
}

TEST(StatusMacrosTest, FirstErrorIsReturned) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(ReasonOf(Quarter(7).status()), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(CheckQuarter(6)), Reason::kInvalidArgument);
  EXPECT_TRUE(CheckQuarter(4).ok());
}

TEST(PrintableTest, OutsideBytesAreHarmlessAndShort) {
  using namespace std::string_view_literals;
  EXPECT_EQ(base::Printable("a\n\x1b[0m\\\xff\0z"sv, 100), "a\\x0a\\x1b[0m\\x5c\\xff\\x00z");
  EXPECT_EQ(base::Printable("abcdef", 3), "abc...");
  EXPECT_EQ(base::Printable("abc", 3), "abc");
}

TEST(StrCatTest, BothKindsOfViewsAreJoined) {
  EXPECT_EQ(base::StrCat(std::string_view("a"), base::ToAbsl("b"), 3, "d"), "ab3d");
}

}  // namespace
}  // namespace talosmq
