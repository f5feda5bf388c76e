#include "group/group_records.h"

#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace talosmq::group {
namespace {

using testing::HasSubstr;

TopicPartition Partition(int32_t number) {
  return {.topic_id = *TopicId::Parse("0b5c7f5e-1d2c-4b3a-9f8e-7d6c5b4a3921"),
          .partition = PartitionId(number)};
}

Change AnOffset() {
  return OffsetChange{.key = {.group = "billing", .partition = Partition(3)},
                      .value = CommittedOffset{.offset = Offset(4715),
                                               .epoch = LeaderEpoch(2),
                                               .metadata = "up to noon",
                                               .committed = absl::FromUnixNanos(1'234'567'890'123),
                                               .producer = ProducerId(9),
                                               .producer_epoch = 1}};
}

Change AGroup() {
  return GroupChange{.key = {.group = "billing"},
                     .value = GroupRecord{.kind = GroupKind::kClassic,
                                          .generation = 7,
                                          .assignor = Assignor::kLagAware,
                                          .protocol_type = "consumer",
                                          .protocol = "range",
                                          .leader = "b-1",
                                          .phase = ClassicPhase::kStable,
                                          .emptied = absl::FromUnixSeconds(1'700'000'000)}};
}

Change AMember() {
  MemberRecord member{
      .instance_id = "i",
      .client_id = "c",
      .host = "10.0.0.1",
      .lease = absl::Seconds(10),
      .joined = 12,
      .topics = {"orders", "bills"},
      .patterns = {"log\\..*"},
      .owned = {{.partition = Partition(1), .since = 3},
                {.partition = Partition(2), .since = 7, .claim = Claim::kReclaimed}},
      .rebalance_timeout = absl::Nanoseconds(60'000'000'001),
      .protocols = {{"range", std::string("\0\1", 2)}, {"sticky", ""}},
      .preference = {"sticky", "range"},
      .assignment = std::string("\0\0\377", 3)};
  return MemberChange{.key = {.group = "billing", .member = "b-1"}, .value = std::move(member)};
}

std::vector<Change> Examples() {
  std::vector<Change> changes = {AnOffset(), AGroup(), AMember()};
  changes.emplace_back(OffsetChange{.key = {.group = "", .partition = Partition(0)}, .value = {}});
  changes.emplace_back(GroupChange{.key = {.group = "g"}, .value = {}});
  changes.emplace_back(MemberChange{.key = {.group = "g", .member = "m"}, .value = {}});
  changes.emplace_back(MemberChange{.key = {.group = "g", .member = "m"}, .value = MemberRecord{}});
  return changes;
}

absl::StatusOr<Change> DecodeBoth(const EncodedChange& encoded) {
  return Decode(encoded.key,
                encoded.value ? std::optional<std::string_view>(*encoded.value) : std::nullopt);
}

bool AreSame(const Change& a, const Change& b) {
  return std::visit(
      [&b](const auto& change) {
        const auto* const other = std::get_if<std::decay_t<decltype(change)>>(&b);
        return other != nullptr && change.key == other->key && change.value == other->value;
      },
      a);
}

void ExpectRefused(const absl::StatusOr<Change>& decoded) {
  ASSERT_FALSE(decoded.ok());
  EXPECT_THAT(ReasonOf(decoded.status()),
              testing::AnyOf(Reason::kCorruptData, Reason::kUnsupportedVersion));
  EXPECT_THAT(std::string(decoded.status().message()), HasSubstr("group record with key"));
}

TEST(GroupRecordsTest, CutKeysAreRefusedAtEveryByte) {
  for (const Change& change : Examples()) {
    const EncodedChange encoded = Encode(change);
    for (size_t size = 0; size < encoded.key.size(); ++size) {
      ExpectRefused(DecodeBoth({.key = encoded.key.substr(0, size), .value = encoded.value}));
    }
  }
}

TEST(GroupRecordsTest, CutValuesAreRefusedAtEveryByte) {
  for (const Change& change : Examples()) {
    const EncodedChange encoded = Encode(change);
    for (size_t size = 0; encoded.value && size < encoded.value->size(); ++size) {
      ExpectRefused(DecodeBoth({.key = encoded.key, .value = encoded.value->substr(0, size)}));
    }
  }
}

TEST(GroupRecordsTest, BytesBehindTheEndAreRefused) {
  for (const Change& change : Examples()) {
    const EncodedChange encoded = Encode(change);
    ExpectRefused(DecodeBoth({.key = encoded.key + "x", .value = encoded.value}));
    if (encoded.value)
      ExpectRefused(DecodeBoth({.key = encoded.key, .value = *encoded.value + "x"}));
  }
}

TEST(GroupRecordsTest, FlippedBitsAreRefusedOrReadAsWhatTheySay) {
  for (const Change& change : Examples()) {
    const EncodedChange encoded = Encode(change);
    const size_t key_bits = encoded.key.size() * 8;
    const size_t bits = key_bits + (encoded.value ? encoded.value->size() * 8 : 0);
    for (size_t bit = 0; bit < bits; ++bit) {
      EncodedChange flipped = encoded;
      std::string& bytes = bit < key_bits ? flipped.key : *flipped.value;
      const size_t at = bit < key_bits ? bit : bit - key_bits;
      bytes[at / 8] = static_cast<char>(bytes[at / 8] ^ (1 << (at % 8)));
      const auto decoded = DecodeBoth(flipped);
      if (!decoded.ok()) continue;
      EXPECT_EQ(Encode(*decoded).key, flipped.key);
      EXPECT_EQ(Encode(*decoded).value, flipped.value);
    }
  }
}

TEST(GroupRecordsTest, LaterVersionsAreToldApartFromCorruption) {
  const EncodedChange sound = Encode(AGroup());
  EncodedChange later = sound;
  later.key[0] = 2;
  EXPECT_EQ(ReasonOf(DecodeBoth(later).status()), Reason::kUnsupportedVersion);
  later = sound;
  later.value->at(0) = 2;
  const absl::Status refused = DecodeBoth(later).status();
  EXPECT_EQ(ReasonOf(refused), Reason::kUnsupportedVersion);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("billing"));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("expected version 1 of the value, found 2"));
  later.value->at(0) = 0;
  EXPECT_EQ(ReasonOf(DecodeBoth(later).status()), Reason::kCorruptData);
}

TEST(GroupRecordsTest, NumbersThatCannotBeAreRefused) {
  auto offset = std::get<OffsetChange>(AnOffset());
  offset.value->offset = Offset(-1);
  ExpectRefused(DecodeBoth(Encode(Change(offset))));
  offset = std::get<OffsetChange>(AnOffset());
  offset.key.partition.partition = PartitionId(-1);
  ExpectRefused(DecodeBoth(Encode(Change(offset))));
  auto group = std::get<GroupChange>(AGroup());
  group.value->generation = -1;
  ExpectRefused(DecodeBoth(Encode(Change(group))));
  group = std::get<GroupChange>(AGroup());
  group.value->kind = static_cast<GroupKind>(3);
  ExpectRefused(DecodeBoth(Encode(Change(group))));
}

TEST(GroupRecordsTest, OwnedPartitionsOutOfOrderAreRefused) {
  auto member = std::get<MemberChange>(AMember());
  std::ranges::reverse(member.value->owned);
  ExpectRefused(DecodeBoth(Encode(Change(member))));
  member.value->owned[0] = member.value->owned[1];
  ExpectRefused(DecodeBoth(Encode(Change(member))));
}

TEST(GroupRecordsTest, ACountThatLiesTakesNoMemory) {
  // A member whose list of topics says that it has 2^32 - 1.
  EncodedChange encoded =
      Encode(Change(MemberChange{.key = {.group = "g", .member = "m"}, .value = MemberRecord{}}));
  constexpr size_t kTopicsCount = 1 + 3 * 8 + 3 * 4;
  for (size_t i = 0; i < 4; ++i) encoded.value->at(kTopicsCount + i) = '\xff';
  const absl::Status refused = DecodeBoth(encoded).status();
  EXPECT_EQ(ReasonOf(refused), Reason::kCorruptData);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("topic is cut off"));
}

TEST(GroupRecordsTest, WhatIsWrittenIsRead) {
  for (const Change& change : Examples()) {
    const auto decoded = DecodeBoth(Encode(change));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(AreSame(*decoded, change));
  }
}

TEST(GroupRecordsTest, KeysOfDifferentThingsDiffer) {
  // The names of group and member must not run into each other.
  const Change a = MemberChange{.key = {.group = "ab", .member = "c"}, .value = {}};
  const Change b = MemberChange{.key = {.group = "a", .member = "bc"}, .value = {}};
  EXPECT_NE(Encode(a).key, Encode(b).key);
}

TEST(GroupRecordsTest, GroupsAreSpreadOverAllPartitions) {
  std::vector<int> groups(kOffsetsPartitions);
  for (int i = 0; i < 10'000; ++i) {
    const PartitionId partition = PartitionOfGroup("group-" + std::to_string(i));
    ++groups.at(static_cast<size_t>(partition.value()));
  }
  EXPECT_GE(*std::ranges::min_element(groups), 100);
  EXPECT_LE(*std::ranges::max_element(groups), 400);
}

TEST(GroupRecordsTest, PartitionOfAGroupNeverChanges) {
  EXPECT_EQ(PartitionOfGroup(""), PartitionId(0));
  EXPECT_EQ(PartitionOfGroup("123456789"), PartitionId(0xE3069283U % 50));
}

}  // namespace
}  // namespace talosmq::group
