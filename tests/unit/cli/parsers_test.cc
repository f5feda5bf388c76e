#include "base/text.h"
#include "cli/byte_size.h"
#include "cli/escapes.h"
#include "cli/key_value.h"
#include "cli/nearest.h"
#include "cli/offset_range.h"
#include "cli/record_format.h"
#include "cli/time_text.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace talosmq::cli {
namespace {

using testing::HasSubstr;

std::string WordsOf(const absl::Status& status) {
  return std::string(base::FromAbsl(status.message()));
}

TEST(ByteSizeTest, WhatIsNoSizeIsRefusedWithTheForms) {
  for (const char* text : {"", "B", "-1", "+1", " 1", "1 ", "1.5KB", "1K", "1kb", "1TB", "KiB",
                           "9223372036854775808", "99999999999GiB", "0x10"}) {
    const auto size = ParseByteSize(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_EQ(ReasonOf(size.status()), Reason::kInvalidArgument) << text;
    EXPECT_THAT(WordsOf(size.status()), HasSubstr("as in 64KiB")) << text;
  }
}

TEST(ByteSizeTest, DecimalAndBinaryUnitsDiffer) {
  EXPECT_EQ(*ParseByteSize("0"), 0);
  EXPECT_EQ(*ParseByteSize("100"), 100);
  EXPECT_EQ(*ParseByteSize("100B"), 100);
  EXPECT_EQ(*ParseByteSize("1KB"), 1000);
  EXPECT_EQ(*ParseByteSize("1KiB"), 1024);
  EXPECT_EQ(*ParseByteSize("3GB"), 3'000'000'000);
  EXPECT_EQ(*ParseByteSize("2GiB"), int64_t{2} << 30);
  EXPECT_EQ(*ParseByteSize("9223372036854775807"), std::numeric_limits<int64_t>::max());
}

absl::Time Now() { return absl::FromUnixSeconds(1'795'381'200); }

TEST(TimeTextTest, WhatIsNoTimeIsRefusedWithTheForms) {
  for (const char* text : {"",
                           "-",
                           "-1",
                           "-h",
                           "-1w",
                           "-1.5h",
                           "-9999999999h",
                           "now",

                           "2026-13-01",
                           "2026-02-30",
                           "2026-11-22T21:00:00",
                           "2026-11-22 21:00:00Z",
                           "2026-11-22T25:00:00Z",
                           "infinite-past",
                           "infinite-future",
                           " 2026-11-22",
                           "2026-11-22 ",
                           "1234567890123456",
                           "1.5",
                           "0001-01-0",
                           "2026/11/22"}) {
    const auto time = ParseTime(text, Now());
    EXPECT_FALSE(time.ok()) << text << " gave " << TimeText(*time);
  }
  EXPECT_THAT(WordsOf(ParseTime("noon", Now()).status()), HasSubstr("RFC 3339"));
}

TEST(TimeTextTest, EpochIsSecondsUpToElevenDigitsAndMillisecondsFromTwelve) {
  EXPECT_EQ(*ParseTime("0", Now()), absl::UnixEpoch());
  EXPECT_EQ(*ParseTime("1795381200", Now()), Now());
  EXPECT_EQ(*ParseTime("1795381200000", Now()), Now());
  EXPECT_EQ(*ParseTime("99999999999", Now()), absl::FromUnixSeconds(99'999'999'999));
  EXPECT_EQ(*ParseTime("100000000000", Now()), absl::FromUnixMillis(100'000'000'000));
}

TEST(TimeTextTest, CalendarFormsAreTakenWithTheirZone) {
  EXPECT_EQ(*ParseTime("2026-11-22T21:00:00Z", Now()), Now());
  EXPECT_EQ(*ParseTime("2026-11-22T23:00:00+02:00", Now()), Now());
  EXPECT_EQ(*ParseTime("2026-11-22T21:00:00.25Z", Now()), Now() + absl::Milliseconds(250));
  EXPECT_EQ(*ParseTime("2026-11-22", Now()), Now() - absl::Hours(21));
  EXPECT_EQ(TimeText(Now()), "2026-11-22T21:00:00.000Z");
}

TEST(TimeTextTest, TimesAgoCountBackFromNow) {
  EXPECT_EQ(*ParseTime("-250ms", Now()), Now() - absl::Milliseconds(250));
  EXPECT_EQ(*ParseTime("-90s", Now()), Now() - absl::Seconds(90));
  EXPECT_EQ(*ParseTime("-15m", Now()), Now() - absl::Minutes(15));
  EXPECT_EQ(*ParseTime("-1h", Now()), Now() - absl::Hours(1));
  EXPECT_EQ(*ParseTime("-7d", Now()), Now() - absl::Hours(168));
}

TEST(OffsetRangeTest, WhatIsNoRangeIsRefused) {
  for (const char* text : {"",
                           "begin",
                           "START",
                           "..",
                           "1..start",
                           "start..start",
                           "end..end",
                           "end..-1",
                           "-1..-5",
                           "-5..-5",
                           "-5..-0",
                           "..begin",
                           "1..+2",
                           "5.. 7",
                           "5..5",
                           "5..3",
                           "1..2..3",
                           "-0",
                           "-",
                           "--5",
                           "-1h",
                           "1.5",
                           "+1",
                           "1 ",
                           "@",
                           "@..",
                           "@noon",
                           "5..@",
                           "@-1h..@-2h",
                           "@-1h..@-1h",
                           "99999999999999999999"}) {
    const auto range = ParseOffsetRange(text, Now());
    EXPECT_FALSE(range.ok()) << text;
  }
  EXPECT_THAT(WordsOf(ParseOffsetRange("-1h", Now()).status()), HasSubstr("@-1h"));
  EXPECT_THAT(WordsOf(ParseOffsetRange("x", Now()).status()), HasSubstr("start, end, N, -N"));
}

TEST(OffsetRangeTest, OpenPlacesHaveNoEnd) {
  const auto start = *ParseOffsetRange("start", Now());
  EXPECT_TRUE(std::holds_alternative<AtStart>(start.from));
  EXPECT_FALSE(start.to.has_value());
  EXPECT_TRUE(std::holds_alternative<AtEnd>(ParseOffsetRange("end", Now())->from));
  EXPECT_EQ(std::get<Offset>(ParseOffsetRange("17", Now())->from), Offset(17));
  EXPECT_EQ(std::get<BeforeEnd>(ParseOffsetRange("-10", Now())->from).records, 10);
  EXPECT_EQ(std::get<absl::Time>(ParseOffsetRange("@-1h", Now())->from), Now() - absl::Hours(1));
}

TEST(OffsetRangeTest, AMissingSideIsTheStartOrNoEnd) {
  const auto to_five = *ParseOffsetRange("..5", Now());
  EXPECT_TRUE(std::holds_alternative<AtStart>(to_five.from));
  EXPECT_EQ(std::get<Offset>(*to_five.to), Offset(5));
  const auto from_five = *ParseOffsetRange("5..", Now());
  EXPECT_EQ(std::get<Offset>(from_five.from), Offset(5));
  EXPECT_FALSE(from_five.to.has_value());
  EXPECT_EQ(std::get<absl::Time>(ParseOffsetRange("@2026-11-22..", Now())->from),
            Now() - absl::Hours(21));
}

TEST(OffsetRangeTest, PlacesOfAnyKindGoTogether) {
  const auto last = *ParseOffsetRange("-5..-1", Now());
  EXPECT_EQ(std::get<BeforeEnd>(last.from).records, 5);
  EXPECT_EQ(std::get<BeforeEnd>(*last.to).records, 1);
  const auto mixed = *ParseOffsetRange("@-1h..5", Now());
  EXPECT_EQ(std::get<absl::Time>(mixed.from), Now() - absl::Hours(1));
  EXPECT_EQ(std::get<Offset>(*mixed.to), Offset(5));
  EXPECT_TRUE(std::holds_alternative<AtEnd>(*ParseOffsetRange("5..end", Now())->to));
  EXPECT_TRUE(std::holds_alternative<AtEnd>(*ParseOffsetRange("start..end", Now())->to));
  EXPECT_EQ(std::get<Offset>(*ParseOffsetRange("end..5", Now())->to), Offset(5));
}

TEST(OffsetRangeTest, ClosedRangesKeepBothEnds) {
  const auto offsets = *ParseOffsetRange("0..9223372036854775807", Now());
  EXPECT_EQ(std::get<Offset>(offsets.from), Offset(0));
  EXPECT_EQ(std::get<Offset>(*offsets.to), Offset(std::numeric_limits<int64_t>::max()));
  const auto times = *ParseOffsetRange("@2026-11-22..@2026-11-22T21:00:00Z", Now());
  EXPECT_EQ(std::get<absl::Time>(times.from), Now() - absl::Hours(21));
  EXPECT_EQ(std::get<absl::Time>(*times.to), Now());
}

TEST(PositionTest, OnlyASinglePlaceThatEveryLogHasIsTaken) {
  for (const char* text : {"", "-5", "1..5", "1..", "..5", "begin"}) {
    EXPECT_FALSE(ParsePosition(text, Now()).ok()) << text;
  }
  EXPECT_TRUE(std::holds_alternative<AtStart>(*ParsePosition("start", Now())));
  EXPECT_TRUE(std::holds_alternative<AtEnd>(*ParsePosition("end", Now())));
  EXPECT_EQ(std::get<Offset>(*ParsePosition("17", Now())), Offset(17));
  EXPECT_EQ(std::get<absl::Time>(*ParsePosition("@-1h", Now())), Now() - absl::Hours(1));
}

TEST(EscapesTest, UnknownEscapesAreRefused) {
  for (const char* text : {"\\", "a\\", "\\x", "\\r", "\\\\\\"}) {
    EXPECT_FALSE(Unescape(text).ok()) << text;
  }
}

TEST(EscapesTest, KnownOnesBecomeTheirCharacters) {
  EXPECT_EQ(*Unescape(""), "");
  EXPECT_EQ(*Unescape("a\\tb\\nc\\\\d"), "a\tb\nc\\d");
}

TEST(KeyValueTest, PairWithoutKeyOrSignIsRefused) {
  for (const char* text : {"", "=", "=v", "key"}) EXPECT_FALSE(ParseKeyValue(text).ok()) << text;
}

TEST(KeyValueTest, FirstSignSplits) {
  const auto pair = *ParseKeyValue("a=b=c");
  EXPECT_EQ(pair.key, "a");
  EXPECT_EQ(pair.value, "b=c");
  EXPECT_EQ(ParseKeyValue("a=")->value, "");
}

TEST(NearestTest, FarWordsHaveNoNeighbour) {
  EXPECT_EQ(Nearest("group", {"topic", "dump", "log"}), std::nullopt);
  EXPECT_EQ(Nearest("x", {}), std::nullopt);
}

TEST(NearestTest, SlipOfTheFingerIsFound) {
  EXPECT_EQ(Nearest("creat", {"describe", "create"}), "create");
  EXPECT_EQ(Nearest("tpoic", {"topic"}), "topic");
  EXPECT_EQ(Nearest("prodcue", {"consume", "produce"}), "produce");
  EXPECT_EQ(Nearest("--partion", {"--partition", "--part"}), "--partition");
}

std::string Formatted(const char* format, const ConsumedRecord& record) {
  std::string out;
  RecordFormat::Parse(format)->Append("orders", PartitionId(3), record, out);
  return out;
}

ConsumedRecord SampleRecord() {
  ConsumedRecord record;
  record.offset = Offset(42);
  record.timestamp = absl::FromUnixMillis(1234);
  record.key = "k";
  record.value = "v";
  record.headers = {
      {.key = "b", .value = "1"}, {.key = "a", .value = {}}, {.key = "b", .value = "2"}};
  return record;
}

TEST(RecordFormatTest, UnknownDirectiveIsRefusedWithThoseThereAre) {
  for (const char* text : {"%", "%x", "%v%", "\\q", "%v\\"}) {
    EXPECT_FALSE(RecordFormat::Parse(text).ok()) << text;
  }
  EXPECT_THAT(WordsOf(RecordFormat::Parse("%q").status()), HasSubstr("%o offset"));
}

TEST(RecordFormatTest, AbsentKeyAndValuePrintNothing) {
  EXPECT_EQ(Formatted("<%k|%v|%h>", ConsumedRecord()), "<||>");
}

TEST(RecordFormatTest, EveryDirectiveStandsForItsField) {
  EXPECT_EQ(Formatted("%t %p %o %k %v %T %h %%\\n\\t\\\\", SampleRecord()),
            "orders 3 42 k v 1234 b=1,a=,b=2 %\n\t\\");
}

TEST(RecordFormatTest, PercentSignsOfAValueAreLeftAlone) {
  ConsumedRecord record = SampleRecord();
  record.value = "100%k\\n";
  EXPECT_EQ(Formatted("%v", record), "100%k\\n");
}

TEST(RecordFormatTest, DefaultIsAValueALine) {
  std::string out;
  RecordFormat::ValueLines().Append("orders", PartitionId(0), SampleRecord(), out);
  EXPECT_EQ(out, "v\n");
}

}  // namespace
}  // namespace talosmq::cli
