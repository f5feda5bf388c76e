// docs/formats/metadata.md says what the code does: its worked example and its tables.

#include "metadata/codec.h"
#include "metadata/embedded/kv_layout.h"
#include "metadata/keys.h"

#include "compat/hex_file.h"
#include "gtest/gtest.h"

#include <string>

namespace talosmq::compat {
namespace {

std::string Page() { return ReadRepositoryFile("docs/formats/metadata.md"); }

metadata::TopicRecord ExampleTopic() {
  return {.name = "orders",
          .created = absl::FromUnixMillis(1'700'000'000'000),
          .partitions = 250,
          .replicas = 3,
          .configs = {{"segment.ms", "60000"}}};
}

TEST(MetadataDocumentTest, ExampleIsWhatWeWrite) {
  EXPECT_EQ(metadata::Encode(ExampleTopic()), BytesOfHex(FencedBlock(Page(), "hex")));
}

TEST(MetadataDocumentTest, ExampleIsRead) {
  const auto topic = metadata::Decode<metadata::TopicRecord>(
      {.key = "topics/x", .value = BytesOfHex(FencedBlock(Page(), "hex"))});
  ASSERT_TRUE(topic.ok()) << topic.status();
  EXPECT_EQ(topic->name, "orders");
  EXPECT_EQ(topic->state, metadata::TopicState::kActive);
  EXPECT_EQ(topic->partitions, 250);
}

TEST(MetadataDocumentTest, TableHasTheKeysThatTheCodeWrites) {
  const std::string page = Page();
  for (const std::string& row :
       {std::string(metadata::kClusterKey), std::string(metadata::kProducerIdsKey),
        std::string(metadata::kBrokersPrefix) + "BROKER",
        std::string(metadata::kTopicNamesPrefix) + "NAME",
        std::string(metadata::kTopicsPrefix) + "ID",
        std::string(metadata::kAssignmentsPrefix) + "ID/CHUNK",
        std::string(metadata::kPartitionStatesPrefix) + "ID/PARTITION",
        std::string(metadata::kDeletionsPrefix) + "ID",
        std::string(metadata::kUsersPrefix) + "NAME", std::string(metadata::kLoginSecretKey),
        std::string(metadata::kDumpPrefix) + "..."}) {
    EXPECT_NE(page.find("\n| `" + row + "` |"), std::string::npos) << "expected a row " << row;
  }
  EXPECT_EQ(metadata::BrokerKey(BrokerId(7)), "brokers/0000000007");
}

TEST(MetadataDocumentTest, EmbeddedEntryIsLaidOutAsTheTableSays) {
  const std::string stored =
      metadata::KvLayout::EncodeEntry({.key = "cluster",
                                       .value = "v",
                                       .create_revision = metadata::Revision{2},
                                       .mod_revision = metadata::Revision{0x0102030405060708},
                                       .lease = metadata::LeaseId{3}});
  EXPECT_EQ(stored, BytesOfHex("01 00 00 00 00 00 00 00 02 01 02 03 04 05 06 07 08"
                               " 00 00 00 00 00 00 00 03 76"));
  const metadata::KvLayout layout("meta/");
  EXPECT_EQ(layout.EntryKey("cluster"), "meta/key/cluster");
  EXPECT_EQ(layout.LeaseKey(metadata::LeaseId{26}), "meta/lease/000000000000001a");
  EXPECT_EQ(metadata::KvLayout::EncodeHead(
                {.revision = metadata::Revision{1}, .last_lease = metadata::LeaseId{2}}),
            BytesOfHex("01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02"));
}

}  // namespace
}  // namespace talosmq::compat
