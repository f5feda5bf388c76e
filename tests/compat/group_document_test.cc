// docs/formats/group-records.md says what the code does: its worked example, which was written by
// another program.

#include "group/group_records.h"

#include "compat/hex_file.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace talosmq::compat {
namespace {

const TopicPartition kPartition{.topic_id = *TopicId::Parse("0b5c7f5e-1d2c-4b3a-9f8e-7d6c5b4a3921"),
                                .partition = PartitionId(3)};

std::string Example() {
  return BytesOfHex(FencedBlock(ReadRepositoryFile("docs/formats/group-records.md"), "hex"));
}

group::OffsetChange ExampleOffset() {
  return {.key = {.group = "billing", .partition = kPartition},
          .value = group::CommittedOffset{.offset = Offset(4715),
                                          .epoch = LeaderEpoch(2),
                                          .metadata = "noon",
                                          .committed = absl::FromUnixSeconds(1'700'000'000)}};
}

group::GroupChange ExampleGroup() {
  return {.key = {.group = "billing"},
          .value = group::GroupRecord{.kind = group::GroupKind::kClassic,
                                      .generation = 7,
                                      .protocol_type = "consumer",
                                      .protocol = "range",
                                      .leader = "b-1",
                                      .phase = group::ClassicPhase::kStable}};
}

group::MemberChange ExampleMember() {
  return {.key = {.group = "billing", .member = "b-1"},
          .value = group::MemberRecord{.instance_id = "i-1",
                                       .client_id = "b",
                                       .host = "10.0.0.1",
                                       .lease = absl::Seconds(10),
                                       .joined = 12,
                                       .topics = {"orders"},
                                       .patterns = {"log.*"},
                                       .owned = {{.partition = kPartition, .since = 5}},
                                       .rebalance_timeout = absl::Seconds(60),
                                       .protocols = {{"range", "meta"}},
                                       .preference = {"range"},
                                       .assignment = "all"}};
}

TEST(GroupDocumentTest, ExampleIsWhatWeWrite) {
  std::string written;
  for (const group::Change& change :
       std::vector<group::Change>{ExampleOffset(), ExampleGroup(), ExampleMember()}) {
    const group::EncodedChange encoded = group::Encode(change);
    written += encoded.key + encoded.value.value_or("");
  }
  EXPECT_EQ(written, Example());
}

template <typename TypedChange>
void ExpectRead(const TypedChange& expected, std::string_view& rest) {
  const group::EncodedChange sizes = group::Encode(expected);
  const auto change = group::Decode(rest.substr(0, sizes.key.size()),
                                    rest.substr(sizes.key.size(), sizes.value->size()));
  ASSERT_TRUE(change.ok()) << change.status();
  const auto& read = std::get<TypedChange>(*change);
  EXPECT_EQ(read.key, expected.key);
  EXPECT_EQ(read.value, expected.value);
  rest.remove_prefix(sizes.key.size() + sizes.value->size());
}

TEST(GroupDocumentTest, ExampleIsRead) {
  const std::string example = Example();
  std::string_view rest = example;
  ExpectRead(ExampleOffset(), rest);
  ExpectRead(ExampleGroup(), rest);
  ExpectRead(ExampleMember(), rest);
  EXPECT_EQ(rest, "");
}

}  // namespace
}  // namespace talosmq::compat
