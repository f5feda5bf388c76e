#include "metadata/codec.h"
#include "metadata/keys.h"
#include "metadata/topic_name.h"
#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talosmq::metadata {
namespace {

using ::testing::HasSubstr;

TopicId Id() { return *TopicId::Parse("00112233-4455-6677-8899-aabbccddeeff"); }

TEST(TopicNameTest, WrongNamesAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a b"), std::string("a/b"),
        std::string("a\0b", 3), std::string("caf\xc3\xa9"), std::string(250, 'x')}) {
    EXPECT_EQ(ReasonOf(CheckTopicName(name)), Reason::kInvalidTopicName) << name;
  }
  EXPECT_THAT(std::string(CheckTopicName("a\nb").message()), HasSubstr("'a\\x0ab'"));
}

TEST(TopicNameTest, RightNamesPass) {
  for (const std::string& name : {std::string("a"), std::string("..."), std::string("A-z_0.9"),
                                  std::string(249, 'x'), std::string("__offsets")}) {
    EXPECT_TRUE(CheckTopicName(name).ok()) << name;
  }
  EXPECT_TRUE(IsInternalName("__offsets"));
  EXPECT_FALSE(IsInternalName("_offsets"));
}

TEST(KeysTest, ForeignKeysAreTold) {
  const std::string id = Id().ToString();
  for (const std::string& key : std::vector<std::string>{"",
                                                         "clusters",
                                                         "brokers/",
                                                         "brokers/7",
                                                         "brokers/000000000x",
                                                         "brokers/-000000001",
                                                         "brokers/000000007",
                                                         "brokers/+000000007",
                                                         "brokers/ 000000007",
                                                         "topics/",
                                                         "topics/x",
                                                         "topics/" + id + "/",
                                                         "assignments/" + id,
                                                         "assignments/" + id + "/",
                                                         "assignments/" + id + "/1",
                                                         "assignments/" + id + "x0000000001",
                                                         "partitions/" + id + "/99999999999",
                                                         "deleted/",
                                                         "dump/jobs/x",
                                                         "producers/next"}) {
    EXPECT_EQ(ParseKey(key).kind, KeyKind::kForeign) << key;
  }
}

TEST(KeysTest, KeysAreReadAsTheyAreWritten) {
  EXPECT_EQ(ParseKey(kClusterKey).kind, KeyKind::kCluster);
  const ParsedKey broker = ParseKey(BrokerKey(BrokerId(12)));
  EXPECT_EQ(broker.kind, KeyKind::kBroker);
  EXPECT_EQ(broker.number, 12);
  const ParsedKey name = ParseKey(TopicNameKey("a.b"));
  EXPECT_EQ(name.kind, KeyKind::kTopicName);
  EXPECT_EQ(name.name, "a.b");
  const ParsedKey topic = ParseKey(TopicKey(Id()));
  EXPECT_EQ(topic.kind, KeyKind::kTopic);
  EXPECT_EQ(topic.topic, Id());
  const ParsedKey chunk = ParseKey(AssignmentKey(Id(), 99));
  EXPECT_EQ(chunk.kind, KeyKind::kAssignment);
  EXPECT_EQ(chunk.topic, Id());
  EXPECT_EQ(chunk.number, 99);
  const ParsedKey state =
      ParseKey(PartitionStateKey({.topic_id = Id(), .partition = PartitionId(9999)}));
  EXPECT_EQ(state.kind, KeyKind::kPartitionState);
  EXPECT_EQ(state.topic, Id());
  EXPECT_EQ(state.number, 9999);
  EXPECT_EQ(ParseKey(DeletionKey(Id())).kind, KeyKind::kDeletion);
  EXPECT_EQ(ParseKey(UserKey("alice")).kind, KeyKind::kUser);
  EXPECT_EQ(ParseKey(UserKey("alice")).name, "alice");
  EXPECT_EQ(ParseKey(kLoginSecretKey).kind, KeyKind::kLoginSecret);
}

TEST(KeysTest, KeyOrderIsNumberOrder) {
  EXPECT_LT(AssignmentKey(Id(), 9), AssignmentKey(Id(), 10));
  EXPECT_LT(BrokerKey(BrokerId(99)), BrokerKey(BrokerId(100)));
  EXPECT_TRUE(AssignmentKey(Id(), 3).starts_with(AssignmentsOf(Id())));
  EXPECT_TRUE(PartitionStateKey({.topic_id = Id(), .partition = PartitionId(3)})
                  .starts_with(PartitionStatesOf(Id())));
}

template <typename Record>
KeyValue Stored(const Record& record) {
  return {.key = "some/key", .value = Encode(record)};
}

TEST(CodecTest, DamagedValuesAreToldByKey) {
  const KeyValue empty{.key = "some/key", .value = ""};
  EXPECT_EQ(ReasonOf(Decode<TopicRecord>(empty).status()), Reason::kCorruptData);
  const KeyValue junk{.key = "some/key", .value = "\x01\xff\xff"};
  const absl::Status status = Decode<TopicRecord>(junk).status();
  EXPECT_EQ(ReasonOf(status), Reason::kCorruptData);
  EXPECT_THAT(std::string(status.message()), HasSubstr("some/key"));
}

TEST(CodecTest, VersionsFromTheFutureAreTold) {
  KeyValue entry = Stored(ProducerIdsRecord{.next_id = 1});
  entry.value[0] = '\xff';
  const absl::Status status = Decode<ProducerIdsRecord>(entry).status();
  EXPECT_EQ(ReasonOf(status), Reason::kUnsupportedVersion);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected value version 1, found 255"));
}

TEST(CodecTest, ImpossibleContentIsRefused) {
  EXPECT_FALSE(Decode<TopicNameRecord>({.key = "k", .value = "\x01\x0a\x02xy"}).ok());
  EXPECT_FALSE(Decode<TopicRecord>(Stored(TopicRecord{.partitions = 0, .replicas = 1})).ok());
  EXPECT_FALSE(Decode<TopicRecord>(Stored(TopicRecord{.partitions = 1, .replicas = 0})).ok());
  EXPECT_FALSE(Decode<AssignmentChunk>(Stored(AssignmentChunk{.replicas = {{}}})).ok());
  EXPECT_FALSE(Decode<ProducerIdsRecord>(Stored(ProducerIdsRecord{.next_id = -1})).ok());
}

TEST(CodecTest, UnknownTopicStateIsNotTakenForDeletion) {
  KeyValue entry = Stored(TopicRecord{.name = "t", .partitions = 1, .replicas = 1});
  entry.value += "\x10\x07";  // Field 2, the state, as 7.
  EXPECT_EQ(ReasonOf(Decode<TopicRecord>(entry).status()), Reason::kCorruptData);
}

TEST(CodecTest, RecordsComeBackAsTheyWere) {
  const auto created = absl::FromUnixMillis(1'700'000'000'123);
  const auto cluster = Decode<ClusterRecord>(Stored(ClusterRecord{"id", created})).value();
  EXPECT_EQ(cluster.cluster_id, "id");
  EXPECT_EQ(cluster.created, created);
  const auto broker = Decode<BrokerRecord>(Stored(BrokerRecord{"host:1", 3, "dir"})).value();
  EXPECT_EQ(broker.grpc_address, "host:1");
  EXPECT_EQ(broker.boot_counter, 3);
  EXPECT_EQ(broker.directory_id, "dir");
  EXPECT_EQ(Decode<TopicNameRecord>(Stored(TopicNameRecord{Id()}))->id, Id());
  const auto topic = Decode<TopicRecord>(Stored(TopicRecord{.name = "t",
                                                            .state = TopicState::kDeleting,
                                                            .created = created,
                                                            .is_internal = true,
                                                            .partitions = 250,
                                                            .replicas = 3,
                                                            .configs = {{"a", "1"}, {"b", "2"}}}))
                         .value();
  EXPECT_EQ(topic.name, "t");
  EXPECT_EQ(topic.state, TopicState::kDeleting);
  EXPECT_EQ(topic.created, created);
  EXPECT_TRUE(topic.is_internal);
  EXPECT_EQ(topic.partitions, 250);
  EXPECT_EQ(topic.replicas, 3);
  EXPECT_EQ(topic.configs.at("b"), "2");
  const std::vector<std::vector<BrokerId>> replicas = {{BrokerId(1), BrokerId(2)}, {BrokerId(0)}};
  EXPECT_EQ(Decode<AssignmentChunk>(Stored(AssignmentChunk{replicas}))->replicas, replicas);
  const auto state = Decode<PartitionStateRecord>(
                         Stored(PartitionStateRecord{.leader = BrokerId(2),
                                                     .epoch = LeaderEpoch(9),
                                                     .in_sync = {BrokerId(2), BrokerId(1)}}))
                         .value();
  EXPECT_EQ(state.leader, BrokerId(2));
  EXPECT_EQ(state.epoch, LeaderEpoch(9));
  EXPECT_EQ(state.in_sync, (std::vector{BrokerId(2), BrokerId(1)}));
  const auto deletion =
      Decode<DeletionRecord>(Stored(DeletionRecord{"t", 7, {BrokerId(3)}})).value();
  EXPECT_EQ(deletion.name, "t");
  EXPECT_EQ(deletion.partitions, 7);
  EXPECT_EQ(deletion.brokers, std::vector{BrokerId(3)});
  EXPECT_EQ(Decode<ProducerIdsRecord>(Stored(ProducerIdsRecord{5}))->next_id, 5);
}

UserRecord SoundUser() {
  return {.created = absl::FromUnixSeconds(5),
          .scram_sha_256 = {.salt = "salt",
                            .iterations = base::kScramIterationsMin,
                            .stored_key = std::string(32, 'a'),
                            .server_key = std::string(32, 'b')},
          .scram_sha_512 = {.salt = "pepper",
                            .iterations = base::kScramIterationsMax,
                            .stored_key = std::string(64, 'c'),
                            .server_key = std::string(64, 'd')}};
}

TEST(CodecTest, UsersThatCannotBeCheckedAreDamage) {
  const auto expect_damage = [](auto spoil) {
    UserRecord user = SoundUser();
    spoil(user);
    EXPECT_EQ(ReasonOf(Decode<UserRecord>(Stored(user)).status()), Reason::kCorruptData);
  };
  expect_damage([](UserRecord& user) { user.scram_sha_256.salt = ""; });
  expect_damage([](UserRecord& user) { user.scram_sha_256.iterations = 4095; });
  expect_damage([](UserRecord& user) { user.scram_sha_512.iterations = 65'537; });
  expect_damage([](UserRecord& user) { user.scram_sha_256.stored_key = ""; });
  expect_damage([](UserRecord& user) { user.scram_sha_512.server_key.resize(32); });
  expect_damage([](UserRecord& user) { user.scram_sha_512 = {}; });
  EXPECT_FALSE(Decode<LoginSecretRecord>(Stored(LoginSecretRecord{})).ok());
}

TEST(CodecTest, UsersComeBack) {
  const UserRecord user = Decode<UserRecord>(Stored(SoundUser())).value();
  EXPECT_EQ(user.created, absl::FromUnixSeconds(5));
  EXPECT_EQ(user.scram_sha_256, SoundUser().scram_sha_256);
  EXPECT_EQ(user.scram_sha_512, SoundUser().scram_sha_512);
  EXPECT_EQ(Decode<LoginSecretRecord>(Stored(LoginSecretRecord{"s"}))->secret, "s");
}

TEST(CodecTest, SkippedRangesComeBackAndTouchingOnesAreDamage) {
  const auto range = [](int64_t first, int64_t next) {
    return CorruptRange{.first = Offset(first), .next = Offset(next)};
  };
  const std::vector<CorruptRange> skipped = {range(0, 4), range(7, 9)};
  EXPECT_EQ(Decode<PartitionStateRecord>(Stored(PartitionStateRecord{.skipped = skipped}))->skipped,
            skipped);
  for (const auto& wrong : {std::vector{range(4, 4)}, std::vector{range(0, 4), range(4, 9)},
                            std::vector{range(7, 9), range(0, 4)}, std::vector{range(-1, 4)}}) {
    const auto decoded =
        Decode<PartitionStateRecord>(Stored(PartitionStateRecord{.skipped = wrong}));
    EXPECT_EQ(ReasonOf(decoded.status()), Reason::kCorruptData);
  }
}

TEST(CodecTest, SameRecordIsTheSameBytes) {
  TopicRecord record{.name = "t", .partitions = 1, .replicas = 1};
  for (int i = 0; i < 50; ++i) record.configs["label." + std::to_string(i)] = "v";
  const auto again = Decode<TopicRecord>(Stored(record)).value();
  EXPECT_EQ(Encode(again), Encode(record));
}

}  // namespace
}  // namespace talosmq::metadata
