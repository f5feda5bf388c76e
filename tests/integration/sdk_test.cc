// The SDK against a real server: what neither a scripted transport nor a single thread can show.

#include "support/server_process.h"
#include "support/temporary_directory.h"
#include "talosmq/admin.h"
#include "talosmq/consumer.h"
#include "talosmq/error.h"
#include "talosmq/partition_reader.h"
#include "talosmq/producer.h"
#include "talosmq/push_consumer.h"
#include "talosmq/trace_context.h"

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/server_fixture.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace talosmq {
namespace {

using support::ServerProcess;
using testing::AnyOf;
using testing::ElementsAre;

constexpr absl::Duration kPatience = absl::Seconds(60);

class SdkTest : public ServerTest {
 protected:
  void SetUp() override {
    auto client =
        Client::Connect({.server = server_->grpc_address(), .metadata_age_max = absl::Seconds(1)});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    admin_ = Admin::Create(*client_);
  }

  NewTopic NewTopicOf(int32_t partitions) const {
    return {.name = topic_, .partitions = partitions, .replicas = {}, .configs = {}};
  }
  void CreateTopic(int32_t partitions) {
    const auto created = admin_->CreateTopic(NewTopicOf(partitions));
    ASSERT_TRUE(created.ok()) << created.status();
  }
  std::unique_ptr<RecordProducer> NewProducer() {
    auto producer = RecordProducer::Create(*client_, topic_, {});
    EXPECT_TRUE(producer.ok()) << producer.status();
    return *std::move(producer);
  }
  std::unique_ptr<Consumer> NewConsumer(ConsumerOptions options = {}) {
    auto consumer = Consumer::Create(*client_, topic_, std::move(options));
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  }
  std::unique_ptr<PartitionReader> NewReader(int32_t partition) {
    auto reader = PartitionReader::Create(*client_, topic_, PartitionId(partition));
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }
  /// Stores values "0", "1", ... in a partition, stamped at one second each.
  void Store(int32_t partition, int count) {
    const auto producer = NewProducer();
    for (int number = 0; number < count; ++number) {
      const std::string value = std::to_string(number);
      const auto stored = producer->SendAndWait(
          PartitionId(partition),
          {.value = value, .timestamp = absl::FromUnixSeconds(1'000'000 + number)});
      ASSERT_TRUE(stored.ok()) << stored.status();
    }
  }
  /// "partition:value" of the next `count` records.
  static std::vector<std::string> Read(Consumer& consumer, size_t count) {
    std::vector<std::string> read;
    while (read.size() < count) {
      const auto polled = consumer.Poll(kPatience);
      EXPECT_TRUE(polled.ok()) << polled.status();
      if (!polled.ok() || polled->empty()) break;
      for (const RecordBatchView& batch : polled->batches) {
        for (const ConsumedRecord& record : batch.records()) {
          read.push_back(std::to_string(batch.partition().value()) + ":" +
                         std::string(*record.value));
        }
      }
    }
    return read;
  }

  std::unique_ptr<Client> client_;
  std::unique_ptr<Admin> admin_;
};

TEST_F(SdkTest, APausedPartitionGivesNothingUntilItIsResumed) {
  CreateTopic(2);
  Store(0, 3);
  Store(1, 3);
  const auto consumer = NewConsumer();
  ASSERT_TRUE(consumer->Assign({PartitionId(0)}, AtStart()).ok());
  EXPECT_THAT(Read(*consumer, 3), ElementsAre("0:0", "0:1", "0:2"));
  ASSERT_TRUE(consumer->Seek(PartitionId(0), Offset(1)).ok());
  ASSERT_TRUE(consumer->Pause(PartitionId(0)).ok());
  ASSERT_TRUE(consumer->Add(PartitionId(1), AtStart()).ok());
  EXPECT_THAT(Read(*consumer, 3), ElementsAre("1:0", "1:1", "1:2"));
  Store(0, 1);
  const auto polled = consumer->Poll(absl::Milliseconds(100));
  ASSERT_TRUE(polled.ok()) << polled.status();
  EXPECT_TRUE(polled->empty());
  EXPECT_EQ(consumer->positions()[0].position, Offset(1));
  ASSERT_TRUE(consumer->Resume(PartitionId(0)).ok());
  EXPECT_THAT(Read(*consumer, 3), ElementsAre("0:1", "0:2", "0:0"));
}

TEST_F(SdkTest, ASeekMovesAPausedPartitionAndLeavesItPaused) {
  CreateTopic(1);
  Store(0, 5);
  const auto consumer = NewConsumer();
  ASSERT_TRUE(consumer->Assign({PartitionId(0)}, AtStart()).ok());
  ASSERT_TRUE(consumer->Pause(PartitionId(0)).ok());
  ASSERT_TRUE(consumer->Seek(PartitionId(0), Offset(3)).ok());
  const auto polled = consumer->Poll(absl::Milliseconds(100));
  ASSERT_TRUE(polled.ok()) << polled.status();
  EXPECT_TRUE(polled->empty());
  ASSERT_TRUE(consumer->Resume(PartitionId(0)).ok());
  EXPECT_THAT(Read(*consumer, 2), ElementsAre("0:3", "0:4"));
}

TEST_F(SdkTest, ASeekToATimeGoesToTheFirstRecordAtOrAfterIt) {
  CreateTopic(1);
  Store(0, 5);
  const auto consumer = NewConsumer();
  ASSERT_TRUE(consumer->Assign({PartitionId(0)}, AtStart()).ok());
  ASSERT_TRUE(consumer->Seek(PartitionId(0), absl::FromUnixSeconds(1'000'003)).ok());
  EXPECT_THAT(Read(*consumer, 2), ElementsAre("0:3", "0:4"));
  const absl::Time between = absl::FromUnixMillis(1'000'001'500);
  ASSERT_TRUE(consumer->Seek(PartitionId(0), between).ok());
  EXPECT_THAT(Read(*consumer, 3), ElementsAre("0:2", "0:3", "0:4"));
  ASSERT_TRUE(consumer->Seek(PartitionId(0), absl::FromUnixSeconds(1)).ok());
  EXPECT_EQ(consumer->positions()[0].position, Offset(0));
  ASSERT_TRUE(consumer->Seek(PartitionId(0), absl::FromUnixSeconds(2'000'000)).ok());
  EXPECT_EQ(consumer->positions()[0].position, Offset(5)) << "the end";
}

TEST_F(SdkTest, ARemovedPartitionIsReadNoMore) {
  CreateTopic(2);
  Store(0, 1);
  const auto consumer = NewConsumer();
  ASSERT_TRUE(consumer->Assign({PartitionId(0), PartitionId(1)}, AtStart()).ok());
  EXPECT_THAT(Read(*consumer, 1), ElementsAre("0:0"));
  ASSERT_TRUE(consumer->Remove(PartitionId(0)).ok());
  Store(0, 1);
  Store(1, 1);
  EXPECT_THAT(Read(*consumer, 1), ElementsAre("1:0"));
  EXPECT_EQ(consumer->positions().size(), 1u);
  EXPECT_EQ(ReasonOf(consumer->Remove(PartitionId(0))), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(consumer->Pause(PartitionId(0))), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(consumer->Resume(PartitionId(0))), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(consumer->Add(PartitionId(1), AtStart())), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(consumer->Add(PartitionId(2), AtStart())), Reason::kUnknownPartition);
}

TEST_F(SdkTest, AddedPartitionsAreHeardOfAndUsed) {
  CreateTopic(1);
  const auto producer = NewProducer();
  absl::Notification heard;
  const auto consumer = NewConsumer({.on_partitions_added = [&](int32_t count) {
    EXPECT_EQ(count, 3);
    heard.Notify();
  }});
  ASSERT_TRUE(consumer->Assign({PartitionId(0)}, AtEnd()).ok());
  ASSERT_TRUE(admin_->AddPartitions(topic_, 3).ok());
  ASSERT_TRUE(heard.WaitForNotificationWithTimeout(kPatience));
  EXPECT_EQ(consumer->partition_count(), 3);
  ASSERT_TRUE(consumer->Add(PartitionId(2), AtStart()).ok());
  Store(2, 1);
  EXPECT_THAT(Read(*consumer, 1), ElementsAre("2:0"));
}

TEST_F(SdkTest, TheEndOfATopicIsToldAlsoWhenItsNameExistsAgain) {
  CreateTopic(1);
  absl::Notification producer_heard;
  absl::Notification consumer_heard;
  auto producer = Producer::Create(*client_, topic_, {.on_topic_deleted = [&](const auto& why) {
    EXPECT_EQ(ReasonOf(why), Reason::kUnknownTopicId);
    producer_heard.Notify();
  }});
  ASSERT_TRUE(producer.ok()) << producer.status();
  const auto consumer = NewConsumer({.on_topic_deleted = [&](const absl::Status& why) {
    EXPECT_EQ(ReasonOf(why), Reason::kUnknownTopicId);
    consumer_heard.Notify();
  }});
  ASSERT_TRUE(consumer->Assign({PartitionId(0)}, AtStart()).ok());
  ASSERT_TRUE((*producer)->Send({.value = "old"}, 1).ok());
  ASSERT_TRUE((*producer)->Flush().ok());
  EXPECT_THAT(Read(*consumer, 1), ElementsAre("0:old"));

  ASSERT_TRUE(admin_->DeleteTopic(topic_).ok());
  // The name is free once the deletion is through.
  absl::StatusOr<TopicId> again;
  do {
    again = admin_->CreateTopic(NewTopicOf(1));
  } while (ReasonOf(again.status()) == Reason::kTopicDeleting ||
           ReasonOf(again.status()) == Reason::kTopicExists);
  ASSERT_TRUE(again.ok()) << again.status();

  const absl::Status sent = (*producer)->Send({.value = "late"}, 2);
  ASSERT_TRUE(producer_heard.WaitForNotificationWithTimeout(kPatience));
  ASSERT_TRUE(consumer_heard.WaitForNotificationWithTimeout(kPatience));
  EXPECT_TRUE(sent.ok() || ReasonOf(sent) == Reason::kUnknownTopicId) << sent;
  EXPECT_EQ(ReasonOf((*producer)->Send({.value = "later"}, 3)), Reason::kUnknownTopicId);
  EXPECT_EQ(ReasonOf(consumer->Poll(kPatience).status()), Reason::kUnknownTopicId);
  EXPECT_TRUE(consumer->Poll(absl::ZeroDuration()).ok()) << "told once";

  const auto reader = NewReader(0);
  EXPECT_EQ(*reader->FindOffset(AtEnd()), Offset(0)) << "nothing came to the new topic";
}

TEST_F(SdkTest, FetchOnceReadsFromAnOffsetOnAndTellsTheNext) {
  CreateTopic(1);
  Store(0, 5);
  const auto reader = NewReader(0);
  const auto fetched = reader->FetchOnce(Offset(3), {});
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  std::vector<std::string> values;
  for (const RecordBatchView& batch : fetched->batches) {
    for (const ConsumedRecord& record : batch.records()) values.emplace_back(*record.value);
  }
  EXPECT_THAT(values, ElementsAre("3", "4"));
  EXPECT_EQ(fetched->next_offset, Offset(5));
  EXPECT_EQ(fetched->high_watermark, Offset(5));
}

TEST_F(SdkTest, FetchOnceIsBoundedByBytes) {
  CreateTopic(1);
  const auto producer = NewProducer();
  const std::string value(10'000, 'x');
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(producer->SendAndWait({.value = value}).ok());
  const auto fetched = NewReader(0)->FetchOnce(Offset(0), {.bytes_max = 25'000});
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->next_offset, Offset(2));
  const auto least = NewReader(0)->FetchOnce(Offset(4), {.bytes_max = 1024});
  ASSERT_TRUE(least.ok()) << least.status();
  EXPECT_EQ(least->batches.size(), 1u) << "one batch comes even if it is larger";
}

TEST_F(SdkTest, FetchOnceAtTheEndIsEmptyOrWaits) {
  CreateTopic(1);
  Store(0, 1);
  const auto reader = NewReader(0);
  const auto empty = reader->FetchOnce(Offset(1), {.wait = absl::Milliseconds(20)});
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_TRUE(empty->batches.empty());
  EXPECT_EQ(empty->next_offset, Offset(1));
  std::thread late([&] { Store(0, 1); });
  const auto waited = reader->FetchOnce(Offset(1), {.wait = absl::Minutes(1)});
  late.join();
  ASSERT_TRUE(waited.ok()) << waited.status();
  EXPECT_EQ(waited->batches.size(), 1u);
}

TEST_F(SdkTest, FetchOnceTellsWhatIsWrong) {
  CreateTopic(1);
  Store(0, 1);
  const auto reader = NewReader(0);
  EXPECT_EQ(ReasonOf(reader->FetchOnce(Offset(2), {}).status()), Reason::kOffsetOutOfRange);
  EXPECT_EQ(ReasonOf(reader->FetchOnce(Offset(0), {.bytes_max = 1}).status()),
            Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf(PartitionReader::Create(*client_, topic_, PartitionId(1)).status()),
            Reason::kUnknownPartition);
  EXPECT_EQ(ReasonOf(PartitionReader::Create(*client_, "nowhere", PartitionId(0)).status()),
            Reason::kUnknownTopic);
  ASSERT_TRUE(admin_->DeleteTopic(topic_).ok());
  EXPECT_THAT(ReasonOf(reader->FetchOnce(Offset(0), {}).status()),
              AnyOf(Reason::kTopicDeleting, Reason::kUnknownTopicId));
}

/// Counts what each partition got; done when all together got so many. Thread-safe.
class Tally {
 public:
  explicit Tally(int64_t expected) : missing_(expected) {}
  void Add(int64_t count) {
    if ((missing_ -= count) == 0) done.Notify();
  }
  absl::Notification done;

 private:
  std::atomic<int64_t> missing_;
};

class CountingProcessor final : public Processor {
 public:
  explicit CountingProcessor(Tally& tally) : tally_(tally) {}
  void Init(PartitionId, Offset start) override { next_ = start; }
  absl::Status Process(const RecordBatchView& records) override {
    for (const ConsumedRecord& record : records.records()) {
      EXPECT_EQ(record.offset, next_);
      next_ = next_ + 1;
    }
    tally_.Add(static_cast<int64_t>(records.records().size()));
    return absl::OkStatus();
  }
  void Shutdown(const absl::Status& why) override { EXPECT_TRUE(why.ok()) << why; }

 private:
  Tally& tally_;
  Offset next_;
};

TEST_F(SdkTest, APushConsumerProcessesEverythingOnce) {
  constexpr int32_t partitions = 4;
  constexpr int64_t records = 100'000;
  CreateTopic(partitions);
  Tally tally(records);
  // The smallest bounds, so that lanes fill up and come down again and again.
  auto consumer = PushConsumer::Create(
      *client_, topic_,
      {.new_processor = [&](PartitionId) { return std::make_unique<CountingProcessor>(tally); },
       .partition_bytes = 64 << 10,
       .consumer = {.prefetch_bytes = 1 << 20}});
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  for (int32_t number = 0; number < partitions; ++number) {
    ASSERT_TRUE((*consumer)->Add(PartitionId(number), AtStart()).ok());
  }
  auto producer = Producer::Create(*client_, topic_, {.batch_bytes = 16 << 10});
  ASSERT_TRUE(producer.ok()) << producer.status();
  const std::string value(100, 'x');
  for (int64_t i = 0; i < records; ++i) {
    const PartitionId partition(static_cast<int32_t>(i % partitions));
    ASSERT_TRUE((*producer)->Send(partition, {.value = value}, 0).ok());
  }
  ASSERT_TRUE((*producer)->Flush().ok());
  ASSERT_TRUE(tally.done.WaitForNotificationWithTimeout(kPatience));
  (*consumer)->Stop();
  EXPECT_TRUE((*consumer)->positions().empty());
}

TEST_F(SdkTest, APushConsumersPartitionsComeAndGo) {
  CreateTopic(1);
  Store(0, 4);
  Tally tally(4 + 2);
  auto consumer = PushConsumer::Create(*client_, topic_, {.new_processor = [&](PartitionId) {
    return std::make_unique<CountingProcessor>(tally);
  }});
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  EXPECT_EQ(ReasonOf((*consumer)->Remove(PartitionId(0))), Reason::kInvalidArgument);
  EXPECT_EQ(ReasonOf((*consumer)->Add(PartitionId(1), AtStart())), Reason::kUnknownPartition);
  ASSERT_TRUE((*consumer)->Add(PartitionId(0), AtStart()).ok());
  EXPECT_EQ(ReasonOf((*consumer)->Add(PartitionId(0), AtStart())), Reason::kInvalidArgument);
  while ((*consumer)->positions()[0].position < Offset(4)) std::this_thread::yield();
  ASSERT_TRUE((*consumer)->Remove(PartitionId(0)).ok());
  ASSERT_TRUE((*consumer)->Add(PartitionId(0), absl::FromUnixSeconds(1'000'002)).ok());
  ASSERT_TRUE(tally.done.WaitForNotificationWithTimeout(kPatience));
  (*consumer)->Stop();
  (*consumer)->Stop();
  EXPECT_EQ(ReasonOf((*consumer)->Add(PartitionId(0), AtStart())), Reason::kClosed);
}

TEST_F(SdkTest, APartitionWithoutAProcessorIsRefused) {
  CreateTopic(1);
  auto consumer = PushConsumer::Create(*client_, topic_, {.new_processor = [](PartitionId) {
    return std::unique_ptr<Processor>();
  }});
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  EXPECT_EQ(ReasonOf((*consumer)->Add(PartitionId(0), AtStart())), Reason::kInvalidArgument);
  EXPECT_TRUE((*consumer)->positions().empty());
}

TEST_F(SdkTest, HeadersComeBackAsTheyWereSent) {
  CreateTopic(1);
  const auto context =
      TraceContext::Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const std::vector<Header> before{{.key = "b", .value = "1"},
                                   {.key = "tracestate", .value = "congo=t61rcWkgMzE"},
                                   {.key = "b"},
                                   {.key = "", .value = ""}};
  const TracedHeaders traced(before, *context);
  ASSERT_TRUE(NewProducer()->SendAndWait({.value = "v", .headers = traced.headers()}).ok());
  const auto fetched = NewReader(0)->FetchOnce(Offset(0), {});
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  const std::vector<Header>& headers = fetched->batches[0].records()[0].headers;
  ASSERT_EQ(headers.size(), traced.headers().size());
  for (size_t i = 0; i < headers.size(); ++i) {
    EXPECT_EQ(headers[i].key, traced.headers()[i].key);
    EXPECT_EQ(headers[i].value, traced.headers()[i].value);
  }
  EXPECT_EQ(FindTraceContext(headers), context);
}

/// What the process does with each signal.
std::map<int, void (*)(int)> Dispositions() {
  std::map<int, void (*)(int)> dispositions;
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) == 0) dispositions[signal] = action.sa_handler;
  }
  return dispositions;
}

TEST_F(SdkTest, SignalsAreLeftAloneAlsoWhenAConnectionBreaks) {
  support::TemporaryDirectory directory;
  auto server = ServerProcess::Start(
      {.program = TALOSMQ_SERVER_PROGRAM, .data_dir = directory.path() + "/data", .arguments = {}});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto before = Dispositions();
  const auto client = Client::Connect({.server = (*server)->grpc_address()});
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE(Admin::Create(**client)->CreateTopic(NewTopicOf(1)).ok());
  auto producer =
      RecordProducer::Create(**client, topic_, {.delivery_timeout = absl::Milliseconds(500)});
  ASSERT_TRUE(producer.ok()) << producer.status();
  ASSERT_TRUE((*producer)->SendAndWait({.value = "x"}).ok());
  (*server)->Kill();
  const auto lost = (*producer)->SendAndWait({.value = "y"});
  const Reason reason = ReasonOf(lost.status());
  EXPECT_TRUE(reason == Reason::kMaybeStored || reason == Reason::kDeadlineExceeded)
      << lost.status();
  EXPECT_EQ(Dispositions(), before);
}

TEST_F(SdkTest, AChildThatLeavesTheClientAloneDisturbsNothing) {
  CreateTopic(1);
  const auto producer = NewProducer();
  ASSERT_TRUE(producer->SendAndWait({.value = "before"}).ok());
  const pid_t child = fork();
  if (child == 0) _exit(0);
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const auto after = producer->SendAndWait({.value = "after"});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->offset, Offset(1));
}

/// Four records, of which a flipped bit on the server's disk has hit the third.
class DamagedTopicTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Connect());
    ASSERT_TRUE(Admin::Create(*client_)
                    ->CreateTopic({.name = "t", .partitions = 1, .replicas = {}, .configs = {}})
                    .ok());
    {
      const auto producer = RecordProducer::Create(*client_, "t", {});
      ASSERT_TRUE(producer.ok()) << producer.status();
      const std::string value(6'000, 'v');  // More than the smallest run: damage hides one record.
      for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE((*producer)->SendAndWait(PartitionId(0), {.value = value}).ok());
      }
    }
    client_ = nullptr;
    ASSERT_TRUE(server_->Terminate().ok());
    FlipABit(2);
    ASSERT_NO_FATAL_FAILURE(Connect());
  }

  void Connect() {
    auto server = ServerProcess::Start({.program = TALOSMQ_SERVER_PROGRAM,
                                        .data_dir = directory_.path() + "/data",
                                        .arguments = {}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto client = Client::Connect({.server = server_->grpc_address()});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  /// In the batch of the given number, all being of one size.
  void FlipABit(int batch) {
    std::filesystem::path segment;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(directory_.path() + "/data/topics")) {
      if (entry.path().extension() == ".log") segment = entry.path();
    }
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    std::array<unsigned char, 12> head{};
    file.read(reinterpret_cast<char*>(head.data()), head.size());
    const int size = 12 + (head[8] << 24 | head[9] << 16 | head[10] << 8 | head[11]);
    file.seekp(batch * size + 100);
    file.put('w');
    ASSERT_TRUE(file.good()) << segment;
  }

  const support::TemporaryDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(DamagedTopicTest, AConsumerStopsOrSkipsAsItWasTold) {
  for (const OnCorrupt on_corrupt : {OnCorrupt::kFail, OnCorrupt::kSkip}) {
    std::vector<SkippedOffsets> skipped;
    const auto consumer = Consumer::Create(
        *client_, "t", {.on_corrupt = on_corrupt, .on_skipped = [&](const SkippedOffsets& told) {
                          skipped.push_back(told);
                        }});
    ASSERT_TRUE(consumer.ok()) << consumer.status();
    ASSERT_TRUE((*consumer)->Assign({PartitionId(0)}, AtStart()).ok());
    std::vector<int64_t> offsets;
    absl::Status status;
    while (status.ok() && (offsets.empty() || offsets.back() < 3)) {
      const auto polled = (*consumer)->Poll(kPatience);
      status = polled.status();
      if (!polled.ok()) break;
      for (const RecordBatchView& batch : polled->batches) {
        for (const ConsumedRecord& record : batch.records()) {
          offsets.push_back(record.offset.value());
        }
      }
    }
    if (on_corrupt == OnCorrupt::kFail) {
      EXPECT_THAT(offsets, ElementsAre(0, 1));
      EXPECT_EQ(CorruptRangeOf(status), (CorruptRange{.first = Offset(2), .next = Offset(3)}));
      EXPECT_EQ((*consumer)->positions()[0].position, Offset(2));
      EXPECT_EQ((*consumer)->skipped_records(), 0);
    } else {
      EXPECT_THAT(offsets, ElementsAre(0, 1, 3));
      ASSERT_EQ(skipped.size(), 1u);
      EXPECT_EQ(skipped[0].first, Offset(2));
      EXPECT_EQ(skipped[0].next, Offset(3));
      EXPECT_EQ((*consumer)->skipped_records(), 1);
    }
  }
}

TEST_F(DamagedTopicTest, APartitionReaderStopsOrSkipsAsItWasTold) {
  const auto reader = PartitionReader::Create(*client_, "t", PartitionId(0));
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto refused = (*reader)->FetchOnce(Offset(2), {});
  EXPECT_EQ(CorruptRangeOf(refused.status()),
            (CorruptRange{.first = Offset(2), .next = Offset(3)}));
  const auto skipped = (*reader)->FetchOnce(Offset(2), {.on_corrupt = OnCorrupt::kSkip});
  ASSERT_TRUE(skipped.ok()) << skipped.status();
  EXPECT_EQ(skipped->skipped_records, 1);
  ASSERT_EQ(skipped->batches.size(), 1u);
  EXPECT_EQ(skipped->batches[0].records().front().offset, Offset(3));
  EXPECT_EQ(skipped->next_offset, Offset(4));
}

TEST_F(DamagedTopicTest, AnAdminsDecisionHoldsForReadersThatKnowNothingOfIt) {
  const auto admin = Admin::Create(*client_);
  const CorruptRange damage{.first = Offset(2), .next = Offset(3)};
  EXPECT_EQ(ReasonOf(admin->SkipCorrupt("t", PartitionId(0), Offset(2)).status()),
            Reason::kInvalidArgument);
  const auto decided = admin->SkipCorrupt("t", PartitionId(0), Offset(3));
  ASSERT_TRUE(decided.ok()) << decided.status();
  EXPECT_EQ(*decided, damage);
  EXPECT_THAT(admin->DescribeTopic("t")->partitions[0].skipped, ElementsAre(damage));
  const auto reader = PartitionReader::Create(*client_, "t", PartitionId(0));
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto moved = (*reader)->FetchOnce(Offset(2), {});
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->batches[0].records().front().offset, Offset(3));
}

}  // namespace
}  // namespace talosmq
