#include "base/utf8.h"
#include "rpc/error_status.h"
#include "rpc/limits.h"
#include "support/certificate.h"
#include "support/manual_executor.h"
#include "support/temporary_directory.h"

#include "gmock/gmock.h"
#include "unit/rpc/front_fixture.h"

#include <fstream>
#include <string>
#include <thread>

namespace talosmq::rpc {
namespace {

TEST(ErrorStatusTest, EveryReasonHasACodeAndOnlyNoneIsOk) {
  const google::protobuf::EnumDescriptor& reasons = *v1::Reason_descriptor();
  for (int i = 0; i < reasons.value_count(); ++i) {
    const auto reason = static_cast<Reason>(reasons.value(i)->number());
    EXPECT_EQ(GrpcCodeOf(reason) == grpc::StatusCode::OK, reason == Reason::kNone)
        << reasons.value(i)->name();
    EXPECT_EQ(static_cast<int>(MakeError(reason, "x").code()), static_cast<int>(GrpcCodeOf(reason)))
        << reasons.value(i)->name() << " has another code than the status it comes from";
  }
}

TEST(ErrorStatusTest, WordsAreCutBetweenCharactersAndAlwaysReadable) {
  for (const std::string& words : {"x" + std::string(4096, 'x'),
                                   std::string(1, 'x') +
                                       [] {
                                         std::string text;
                                         for (int i = 0; i < 2000; ++i) text += "\xc3\xa9";
                                         return text;
                                       }(),
                                   std::string(5000, '\xff')}) {
    v1::Error error;
    FillError(MakeError(Reason::kUnknownTopic, words), error);
    v1::Error parsed;
    ASSERT_TRUE(parsed.ParseFromString(error.SerializeAsString()));
    EXPECT_EQ(parsed.reason(), v1::REASON_UNKNOWN_TOPIC);
    EXPECT_TRUE(base::IsUtf8(parsed.message()));
  }
}

TEST(ErrorStatusTest, LongWordsAreCut) {
  v1::Error error;
  FillError(MakeError(Reason::kInternal, std::string(1 << 20, 'x')), error);
  EXPECT_EQ(error.message().size(), kErrorMessageBytesMax);
}

TEST(GrpcFrontStartTest, TakenPortIsRefusedByName) {
  base::SystemClock clock;
  FakeMessages messages;
  FakeTopics topics;
  FakeCluster cluster;
  FakeDumps dumps;
  FakeGroups groups;
  FakeUsers users;
  const auto metrics = base::MakeNullMetricRegistry();
  const GrpcFront::Dependencies dependencies{messages, topics, cluster, dumps,
                                             groups,   users,  clock,   *metrics};
  auto first = GrpcFront::Start({.listen = "127.0.0.1:0"}, dependencies);
  ASSERT_TRUE(first.ok());
  const std::string address = base::StrCat("127.0.0.1:", (*first)->port());
  const auto second = GrpcFront::Start({.listen = address}, dependencies);
  EXPECT_EQ(ReasonOf(second.status()), Reason::kUnavailable);
  EXPECT_NE(second.status().ToString().find(address), std::string::npos);
  (*first)->Stop();
}

// gRPC reads the certificates of a port once a second for as long as the port is there. When nobody
// else held the watch, their descriptors were closed under it.
TEST(GrpcFrontStartTest, WatchOfTheCertificatesLivesAsLongAsTheFront) {
  const support::TemporaryDirectory directory;
  const support::CertifiedKey pair = support::MakeCertifiedKey();
  const base::TlsFiles files{
      .ca = "", .certificate = directory.path() + "/own.pem", .key = directory.path() + "/own.key"};
  std::ofstream(files.certificate) << pair.certificate;
  std::ofstream(files.key) << pair.key;
  support::ManualClock manual;
  support::ManualExecutor executor(manual);
  auto watch = base::TlsWatch::Start(files, executor);
  ASSERT_TRUE(watch.ok()) << watch.status();
  const std::weak_ptr<base::TlsWatch> watched = *watch;

  base::SystemClock clock;
  FakeMessages messages;
  FakeTopics topics;
  FakeCluster cluster;
  FakeDumps dumps;
  FakeGroups groups;
  FakeUsers users;
  const auto metrics = base::MakeNullMetricRegistry();
  auto front = GrpcFront::Start({.listen = "127.0.0.1:0", .tls = *std::move(watch)},
                                {messages, topics, cluster, dumps, groups, users, clock, *metrics});
  ASSERT_TRUE(front.ok()) << front.status();
  EXPECT_FALSE(watched.expired());
  (*front)->Stop();
  EXPECT_FALSE(watched.expired());
  front->reset();
  EXPECT_TRUE(watched.expired());
}

using TopicHandlersTest = FrontTest;

TEST_F(TopicHandlersTest, ExistingTopicIsRefusedWithItsReason) {
  const auto context = Context();
  v1::CreateTopicRequest request;
  request.set_name("taken");
  v1::CreateTopicResponse response;
  const auto status =
      v1::TopicService::NewStub(channel_)->CreateTopic(context.get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_TOPIC_EXISTS);
}

TEST_F(TopicHandlersTest, RequestAboveTheControlLimitIsRefused) {
  const auto context = Context();
  v1::CreateTopicRequest request;
  request.set_name(std::string(kControlBytesMax + 1, 'x'));
  v1::CreateTopicResponse response;
  const auto status =
      v1::TopicService::NewStub(channel_)->CreateTopic(context.get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(TopicHandlersTest, DescriptionHasAnErrorForThePartitionThatFailed) {
  v1::DescribeTopicRequest request;
  request.set_name("orders");
  v1::DescribeTopicResponse response;
  ASSERT_TRUE(
      v1::TopicService::NewStub(channel_)->DescribeTopic(Context().get(), request, &response).ok());
  ASSERT_EQ(response.partitions_size(), 2);
  EXPECT_FALSE(response.partitions(0).has_error());
  ASSERT_EQ(response.partitions(0).skipped_size(), 1);
  EXPECT_EQ(response.partitions(0).skipped(0).first_offset(), 1);
  EXPECT_EQ(response.partitions(0).skipped(0).next_offset(), 4);
  EXPECT_EQ(response.partitions(1).error().reason(), v1::REASON_STORAGE_FENCED);
  EXPECT_EQ(response.configs(0).key(), "segment.bytes");
}

TEST_F(TopicHandlersTest, SkipCorruptTellsWhatIsPassedOverOrWhatIsDamaged) {
  const auto stub = v1::TopicService::NewStub(channel_);
  v1::SkipCorruptRequest request;
  request.set_topic("orders");
  request.set_to_offset(7);
  v1::SkipCorruptResponse response;
  ASSERT_TRUE(stub->SkipCorrupt(Context().get(), request, &response).ok());
  EXPECT_EQ(response.skipped().first_offset(), 3);
  EXPECT_EQ(response.skipped().next_offset(), 7);
  request.set_to_offset(4);
  const auto context = Context();
  const grpc::Status refused = stub->SkipCorrupt(context.get(), request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::DATA_LOSS);
  const v1::Error error = TrailerOf(*context);
  EXPECT_EQ(error.reason(), v1::REASON_CORRUPT_DATA);
  EXPECT_EQ(error.corrupt_range().first_offset(), 3);
  EXPECT_EQ(error.corrupt_range().next_offset(), 5);
}

TEST_F(TopicHandlersTest, MetadataAnswersEachNameAndIdOnItsOwn) {
  v1::GetMetadataRequest request;
  request.add_names("orders");
  request.add_names("missing");
  request.add_names("orders");
  request.add_topic_ids("not an id");
  v1::GetMetadataResponse response;
  ASSERT_TRUE(
      v1::TopicService::NewStub(channel_)->GetMetadata(Context().get(), request, &response).ok());
  EXPECT_EQ(response.cluster_id(), "test-cluster");
  EXPECT_EQ(response.brokers(0).address(), "127.0.0.1:9191");
  ASSERT_EQ(response.topics_size(), 3);
  EXPECT_EQ(response.topics(0).error().reason(), v1::REASON_UNKNOWN_TOPIC);
  EXPECT_EQ(response.topics(0).name(), "missing");
  EXPECT_EQ(response.topics(1).partitions_size(), 2);
  EXPECT_EQ(response.topics(2).error().reason(), v1::REASON_UNKNOWN_TOPIC_ID);
}

using ClusterHandlersTest = FrontTest;

TEST_F(ClusterHandlersTest, HandshakeTellsTheVersionsSpoken) {
  v1::GetServerInfoResponse response;
  ASSERT_TRUE(v1::ClusterService::NewStub(channel_)
                  ->GetServerInfo(Context().get(), v1::GetServerInfoRequest(), &response)
                  .ok());
  EXPECT_EQ(response.version(), "0.1.0");
  EXPECT_EQ(response.protocol_version_min(), 1);
  EXPECT_EQ(response.protocol_version_max(), 1);
}

TEST_F(ClusterHandlersTest, ProblemsAndOrphansAreTold) {
  v1::CheckHealthResponse response;
  ASSERT_TRUE(v1::ClusterService::NewStub(channel_)
                  ->CheckHealth(Context().get(), v1::CheckHealthRequest(), &response)
                  .ok());
  EXPECT_FALSE(response.is_healthy());
  EXPECT_EQ(response.problems(0).object(), "data directory");
  EXPECT_EQ(response.warnings(0).object(), "listener grpc");
  EXPECT_EQ(response.orphans(0), "a/0");
}

TEST_F(ClusterHandlersTest, OrphanToDeleteIsNamedWholeOrRefused) {
  const auto stub = v1::ClusterService::NewStub(channel_);
  v1::DeleteOrphanRequest request;
  v1::DeleteOrphanResponse response;
  request.set_topic_id("short");
  EXPECT_EQ(stub->DeleteOrphan(Context().get(), request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  const TopicPartition orphan{.topic_id = TopicId({7}), .partition = PartitionId(3)};
  request.set_topic_id(std::string(orphan.topic_id.bytes()));
  request.set_partition(-1);
  EXPECT_FALSE(stub->DeleteOrphan(Context().get(), request, &response).ok());
  EXPECT_FALSE(cluster_.deleted_orphan.has_value());
  request.set_partition(3);
  const grpc::Status refused = stub->DeleteOrphan(Context().get(), request, &response);
  EXPECT_EQ(cluster_.deleted_orphan, orphan);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused.error_message(), "topic 'orders' owns it");
}

TEST_F(ClusterHandlersTest, BrokersTellAddressAndBootCounter) {
  v1::DescribeClusterResponse response;
  ASSERT_TRUE(v1::ClusterService::NewStub(channel_)
                  ->DescribeCluster(Context().get(), v1::DescribeClusterRequest(), &response)
                  .ok());
  EXPECT_EQ(response.brokers(0).boot_counter(), 7);
  EXPECT_EQ(response.topics(), 1);
  EXPECT_EQ(response.partitions(), 2);
}

using UserHandlersTest = FrontTest;

TEST_F(UserHandlersTest, WhatTheBrokerRefusesIsTold) {
  const auto stub = v1::UserService::NewStub(channel_);
  v1::CreateUserRequest creation;
  creation.set_name("taken");
  v1::CreateUserResponse created;
  EXPECT_EQ(stub->CreateUser(Context().get(), creation, &created).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::DeleteUserRequest deletion;
  deletion.set_name("nobody");
  v1::DeleteUserResponse deleted;
  EXPECT_EQ(stub->DeleteUser(Context().get(), deletion, &deleted).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(UserHandlersTest, CredentialsReachTheBrokerWhole) {
  v1::CreateUserRequest creation;
  creation.set_name("alice");
  creation.mutable_scram_sha_256()->set_salt("salt");
  creation.mutable_scram_sha_256()->set_iterations(5000);
  creation.mutable_scram_sha_512()->set_stored_key("stored");
  creation.mutable_scram_sha_512()->set_server_key("server");
  v1::CreateUserResponse created;
  ASSERT_TRUE(
      v1::UserService::NewStub(channel_)->CreateUser(Context().get(), creation, &created).ok());
  EXPECT_EQ(users_.created.name, "alice");
  EXPECT_EQ(users_.created.scram_sha_256,
            (base::ScramCredential{.salt = "salt", .iterations = 5000}));
  EXPECT_EQ(users_.created.scram_sha_512,
            (base::ScramCredential{.stored_key = "stored", .server_key = "server"}));
}

using DumpHandlersTest = FrontTest;

TEST_F(DumpHandlersTest, DefinitionWithoutFormatIsRefused) {
  const auto context = Context();
  v1::CreateDumpResponse response;
  EXPECT_EQ(v1::DumpService::NewStub(channel_)
                ->CreateDump(context.get(), v1::CreateDumpRequest(), &response)
                .error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_INVALID_DUMP_JOB);
}

TEST_F(DumpHandlersTest, DefinitionComesBackAsItWasGiven) {
  v1::CreateDumpRequest request;
  v1::DumpDefinition& definition = *request.mutable_definition();
  definition.set_name("nightly");
  definition.set_topic("orders");
  definition.set_target("file:///dumps");
  definition.set_format(v1::DUMP_FORMAT_RAW);
  (*definition.mutable_configs())["roll.ms"] = "1000";
  const auto stub = v1::DumpService::NewStub(channel_);
  v1::CreateDumpResponse created;
  ASSERT_TRUE(stub->CreateDump(Context().get(), request, &created).ok());
  v1::ListDumpsResponse listed;
  ASSERT_TRUE(stub->ListDumps(Context().get(), v1::ListDumpsRequest(), &listed).ok());
  EXPECT_EQ(listed.dumps(0).definition().SerializeAsString(), definition.SerializeAsString());
  EXPECT_EQ(listed.dumps(0).partitions(0).lag_records(), 4);
}

TEST_F(DumpHandlersTest, UnknownJobIsNotFound) {
  const auto context = Context();
  v1::DescribeDumpRequest request;
  request.set_name("nobody");
  v1::DescribeDumpResponse response;
  EXPECT_EQ(v1::DumpService::NewStub(channel_)
                ->DescribeDump(context.get(), request, &response)
                .error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_UNKNOWN_DUMP_JOB);
}

using ListOffsetsTest = FrontTest;

TEST_F(ListOffsetsTest, EachQueryHasAStatusOfItsOwn) {
  messages_.Store(kLog, "a");
  v1::ListOffsetsRequest request;
  v1::OffsetQuery& good = *request.add_partitions();
  good.set_topic_id(IdBytes());
  good.set_end(true);
  v1::OffsetQuery& without_spec = *request.add_partitions();
  without_spec.set_topic_id(IdBytes());
  without_spec.set_partition(1);
  v1::ListOffsetsResponse response;
  ASSERT_TRUE(stub_->ListOffsets(Context().get(), request, &response).ok());
  EXPECT_EQ(response.partitions(0).offset(), 1);
  EXPECT_EQ(response.partitions(1).error().reason(), v1::REASON_INVALID_ARGUMENT);
}

TEST_F(ListOffsetsTest, PartitionNamedTwiceIsRefusedByName) {
  v1::ListOffsetsRequest request;
  for (const int partition : {7, 8, 7}) {
    v1::OffsetQuery& query = *request.add_partitions();
    query.set_topic_id(IdBytes());
    query.set_partition(partition);
    query.set_end(true);
  }
  v1::ListOffsetsResponse response;
  const auto context = Context();
  EXPECT_EQ(stub_->ListOffsets(context.get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(TrailerOf(*context).message(), testing::HasSubstr("partition 7 of topic"));
  EXPECT_EQ(messages_.offset_queries(), 0);
}

TEST_F(ListOffsetsTest, BrokerIsAskedForFewPartitionsAtATime) {
  constexpr int kPartitions = 10'000;
  v1::ListOffsetsRequest request;
  for (int i = 0; i < kPartitions; ++i) {
    v1::OffsetQuery& query = *request.add_partitions();
    query.set_topic_id(IdBytes());
    query.set_partition(i);
    query.set_time_ms(1);
  }
  messages_.HoldAnswers();
  std::thread helper([this] {
    messages_.WaitForOffsetQueries(64);
    for (int i = 0; i < 50; ++i) {  // What would still be asked has been by then.
      v1::InitProducerResponse identity;
      ASSERT_TRUE(stub_->InitProducer(Context().get(), v1::InitProducerRequest(), &identity).ok());
    }
    EXPECT_EQ(messages_.offset_queries(), 64);
    messages_.LetAnswersGo();
  });
  v1::ListOffsetsResponse response;
  EXPECT_TRUE(stub_->ListOffsets(Context().get(), request, &response).ok());
  helper.join();
  ASSERT_EQ(response.partitions_size(), kPartitions);
  for (int i = 0; i < kPartitions; ++i) ASSERT_EQ(response.partitions(i).partition(), i);
}

using DeleteRecordsTest = FrontTest;

TEST_F(DeleteRecordsTest, EachPartitionHasAnAnswerOfItsOwn) {
  messages_.Store(kLog, "a");
  messages_.Store(kLog, "b");
  v1::DeleteRecordsRequest request;
  for (const int partition : {0, 1, 2}) {
    v1::RecordDeletion& deletion = *request.add_partitions();
    deletion.set_topic_id(IdBytes());
    deletion.set_partition(partition);
  }
  request.mutable_partitions(0)->set_before_offset(1);
  request.mutable_partitions(1)->set_before_offset(5);
  v1::DeleteRecordsResponse response;
  ASSERT_TRUE(stub_->DeleteRecords(Context().get(), request, &response).ok());
  ASSERT_EQ(response.partitions_size(), 3);
  EXPECT_EQ(response.partitions(0).log_start_offset(), 1);
  EXPECT_EQ(response.partitions(1).error().reason(), v1::REASON_OFFSET_OUT_OF_RANGE);
  EXPECT_FALSE(response.partitions(2).has_error()) << "without an offset, all that is there";
}

TEST_F(DeleteRecordsTest, WrongNamesAreRefused) {
  v1::DeleteRecordsRequest request;
  request.add_partitions()->set_topic_id("short");
  v1::DeleteRecordsResponse response;
  ASSERT_TRUE(stub_->DeleteRecords(Context().get(), request, &response).ok());
  EXPECT_EQ(response.partitions(0).error().reason(), v1::REASON_UNKNOWN_TOPIC_ID);
  request.Clear();
  request.add_partitions()->set_topic_id(IdBytes());
  request.add_partitions()->set_topic_id(IdBytes());
  EXPECT_EQ(stub_->DeleteRecords(Context().get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ListOffsetsTest, ProducerGetsItsIdentity) {
  v1::InitProducerResponse response;
  ASSERT_TRUE(stub_->InitProducer(Context().get(), v1::InitProducerRequest(), &response).ok());
  EXPECT_EQ(response.producer_id(), 4000);
}

}  // namespace
}  // namespace talosmq::rpc
