#include "client/option_checks.h"

#include "client/server_list.h"
#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace talosmq::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

template <typename Options>
void ExpectRefused(const Options& options, const char* key, const char* range, const char* value) {
  const absl::Status status = CheckOptions(options);
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), AllOf(HasSubstr(key), HasSubstr(range), HasSubstr(value)));
}

TEST(OptionChecksTest, DefaultsAreAccepted) {
  EXPECT_TRUE(CheckOptions(ClientOptions()).ok());
  EXPECT_TRUE(CheckOptions(ProducerOptions()).ok());
  EXPECT_TRUE(CheckOptions(ConsumerOptions()).ok());
  EXPECT_TRUE(CheckOptions(FetchOnceOptions()).ok());
}

TEST(OptionChecksTest, ARefusalNamesKeyRangeAndValue) {
  ClientOptions client;
  client.request_timeout = absl::Milliseconds(99);
  ExpectRefused(client, "request_timeout", "100ms to 10m", "99ms");
  client = {};
  client.metadata_age_max = absl::Hours(2);
  ExpectRefused(client, "metadata_age_max", "1s to 1h", "2h");

  ProducerOptions producer;
  producer.linger = -absl::Milliseconds(1);
  ExpectRefused(producer, "linger", "0 to 1m", "-1ms");
  producer = {};
  producer.batch_bytes = 1023;
  ExpectRefused(producer, "batch_bytes", "1024 to 20971520", "1023");
  producer = {};
  producer.batch_records = 1'000'001;
  ExpectRefused(producer, "batch_records", "0 to 1000000", "1000001");
  producer = {};
  producer.in_flight_per_partition = 6;
  ExpectRefused(producer, "in_flight_per_partition", "1 to 5", "6");
  producer = {};
  producer.buffer_bytes = 0;
  ExpectRefused(producer, "buffer_bytes", "1048576 to 68719476736", "0");
  producer = {};
  producer.delivery_timeout = absl::Hours(2);
  ExpectRefused(producer, "delivery_timeout", "100ms to 1h", "2h");
  producer.delivery_timeout = absl::Seconds(3);
  producer.linger = absl::Seconds(3);
  ExpectRefused(producer, "linger", "less than delivery_timeout (3s)", "3s");

  ConsumerOptions consumer;
  consumer.prefetch_bytes = 1;
  ExpectRefused(consumer, "prefetch_bytes", "1048576 to 4294967296", "1");

  PushConsumerOptions push;
  push.new_processor = [](PartitionId) { return nullptr; };
  push.partition_bytes = 65535;
  ExpectRefused(push, "partition_bytes", "65536 to 1073741824", "65535");
  push.partition_bytes = 65536;
  EXPECT_TRUE(CheckOptions(push).ok());
  push.consumer = consumer;
  ExpectRefused(push, "prefetch_bytes", "1048576 to 4294967296", "1");

  FetchOnceOptions fetch;
  fetch.bytes_max = 20971521;
  ExpectRefused(fetch, "bytes_max", "1024 to 20971520", "20971521");
  fetch = {};
  fetch.wait = absl::Seconds(61);
  ExpectRefused(fetch, "wait", "0 to 1m", "1m1s");
}

TEST(OptionChecksTest, APushConsumerNeedsAProcessor) {
  ExpectRefused(PushConsumerOptions(), "new_processor", "expected a factory", "none");
}

GroupOptions SomeMember() {
  return {.group = "billing", .subscription = {.topics = {"events"}, .patterns = {}}};
}

TEST(OptionChecksTest, AMemberHasAGroupASubscriptionAndALease) {
  EXPECT_TRUE(CheckOptions(SomeMember()).ok());
  GroupOptions member = SomeMember();
  member.group = "";
  ExpectRefused(member, "group", "1 to 249", "0");
  member.group = std::string(250, 'g');
  ExpectRefused(member, "group", "1 to 249", "250");
  member = SomeMember();
  member.instance_id = std::string(101, 'i');
  ExpectRefused(member, "instance_id", "0 to 100", "101");
  member = SomeMember();
  member.client_id = std::string(101, 'c');
  ExpectRefused(member, "client_id", "0 to 100", "101");
  member = SomeMember();
  member.lease = absl::Milliseconds(999);
  ExpectRefused(member, "lease", "1s to 10m", "999ms");
  member = SomeMember();
  member.subscription = {};
  ExpectRefused(member, "subscription", "a topic or a pattern", "none");
}

TEST(OptionChecksTest, WhatNamesAMemberIsUtf8) {
  GroupOptions member = SomeMember();
  member.group = "\xff";
  ExpectRefused(member, "group", "UTF-8", "xff");
  member = SomeMember();
  member.instance_id = "\xff";
  ExpectRefused(member, "instance_id", "UTF-8", "xff");
  member = SomeMember();
  member.client_id = "\xff";
  ExpectRefused(member, "client_id", "UTF-8", "xff");
  member = SomeMember();
  member.subscription.topics.emplace_back("\xff");
  ExpectRefused(member, "topic", "UTF-8", "xff");
  member = SomeMember();
  member.subscription.patterns.emplace_back("\xff");
  ExpectRefused(member, "pattern", "UTF-8", "xff");
}

TEST(OptionChecksTest, GroupConsumersKeepTheirRanges) {
  GroupConsumerOptions polling;
  polling.member = SomeMember();
  EXPECT_TRUE(CheckOptions(polling).ok());
  polling.auto_commit_interval = absl::Milliseconds(99);
  ExpectRefused(polling, "auto_commit_interval", "100ms to 10m", "99ms");
  polling = {};
  ExpectRefused(polling, "group", "1 to 249", "0");

  GroupPushConsumerOptions pushing;
  ExpectRefused(pushing, "new_processor", "expected a factory", "none");
  pushing.new_processor = [](const NamedPartition&) { return nullptr; };
  pushing.member = SomeMember();
  EXPECT_TRUE(CheckOptions(pushing).ok());
  pushing.commit_records = 0;
  ExpectRefused(pushing, "commit_records", "1 to 1000000000", "0");
  pushing.commit_records = 1;
  pushing.partition_bytes = 65535;
  ExpectRefused(pushing, "partition_bytes", "65536 to 1073741824", "65535");
}

TEST(OptionChecksTest, ABroadcastConsumerNeedsAFile) {
  BroadcastConsumerOptions options;
  ExpectRefused(options, "positions_file", "expected a path", "none");
  options.positions_file = "kept";
  EXPECT_TRUE(CheckOptions(options).ok());
  options.save_interval = absl::Minutes(11);
  ExpectRefused(options, "save_interval", "100ms to 10m", "11m");
}

TEST(OptionChecksTest, TheEndsOfARangeAreInIt) {
  ProducerOptions producer;
  producer.linger = absl::Minutes(1);
  producer.batch_bytes = 1024;
  producer.batch_records = 1'000'000;
  producer.in_flight_per_partition = 1;
  producer.buffer_bytes = 1 << 20;
  EXPECT_TRUE(CheckOptions(producer).ok());
  producer.linger = absl::ZeroDuration();
  producer.delivery_timeout = absl::Milliseconds(100);
  EXPECT_TRUE(CheckOptions(producer).ok());
  FetchOnceOptions fetch;
  fetch.bytes_max = 1024;
  fetch.wait = absl::Minutes(1);
  EXPECT_TRUE(CheckOptions(fetch).ok());
}

TEST(OptionChecksTest, IdempotenceNeedsAllAcks) {
  ProducerOptions options;
  options.acks = Acks::kLeader;
  ExpectRefused(options, "acks", "expected all", "leader");
  options.idempotent = false;
  EXPECT_TRUE(CheckOptions(options).ok());
}

TEST(OptionChecksTest, ABatchMustFitTheBuffer) {
  ProducerOptions options;
  options.buffer_bytes = 1 << 20;
  options.batch_bytes = 2 << 20;
  ExpectRefused(options, "batch_bytes", "1048576", "2097152");
}

TEST(ServerListTest, TakesSeveralAndTrims) {
  EXPECT_THAT(*ParseServerList("a:1, b:65535 ,[::1]:9191"),
              ElementsAre("a:1", "b:65535", "[::1]:9191"));
}

TEST(ServerListTest, RefusesWhatIsNotHostAndPort) {
  for (const char* text : {"", "a", ":1", "a:", "a:0", "a:65536", "a:b", "a:1,", "::1:9191"}) {
    const auto servers = ParseServerList(text);
    EXPECT_EQ(ReasonOf(servers.status()), Reason::kInvalidArgument) << text;
    EXPECT_THAT(MessageOf(servers.status()), HasSubstr("server")) << text;
  }
}

}  // namespace
}  // namespace talosmq::client
