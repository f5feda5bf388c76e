#include "gmock/gmock.h"
#include "unit/rpc/front_fixture.h"

#include <set>
#include <string>
#include <thread>

namespace talosmq::rpc {
namespace {

class FetchStreamTest : public FrontTest {
 protected:
  FetchStreamTest() : context_(Context()), stream_(stub_->Fetch(context_.get())) {}

  /// The next answer about one partition, whatever message it comes in.
  v1::FetchedPartition Read() {
    while (pending_.partitions_size() == next_) {
      next_ = 0;
      if (!stream_->Read(&pending_)) {
        ADD_FAILURE() << "the stream ended: " << stream_->Finish().error_message();
        return {};
      }
    }
    return pending_.partitions(next_++);
  }

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::FetchRequest, v1::FetchResponse>> stream_;
  v1::FetchResponse pending_;
  int next_ = 0;
};

TEST_F(FetchStreamTest, UnknownTopicEndsOnlyItsSubscription) {
  messages_.Store(kLog, "stored");
  v1::FetchRequest request = Subscribe(1, 0, 1 << 20, 5);
  *request.add_subscribe() = Subscribe(2, 0, 0).subscribe(0);
  ASSERT_TRUE(stream_->Write(request));
  std::set<uint64_t> seen;
  for (int i = 0; i < 2; ++i) {
    const v1::FetchedPartition fetched = Read();
    seen.insert(fetched.subscription_id());
    if (fetched.subscription_id() == 1) {
      EXPECT_EQ(fetched.error().reason(), v1::REASON_UNKNOWN_TOPIC_ID);
    } else {
      EXPECT_EQ(fetched.records(), "stored");
    }
  }
  EXPECT_EQ(seen.size(), 2U);
}

TEST_F(FetchStreamTest, OffsetBeyondTheEndIsAnErrorWithItsRange) {
  messages_.Store(kLog, "only one");
  ASSERT_TRUE(stream_->Write(Subscribe(1, 5, 1 << 20)));
  const v1::FetchedPartition fetched = Read();
  EXPECT_EQ(fetched.error().reason(), v1::REASON_OFFSET_OUT_OF_RANGE);
  EXPECT_EQ(fetched.high_watermark(), 1);
}

TEST_F(FetchStreamTest, MalformedTopicIdIsAnsweredOnTheSubscription) {
  v1::FetchRequest request = Subscribe(1, 0, 1 << 20);
  request.mutable_subscribe(0)->set_topic_id("?");
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Read().error().reason(), v1::REASON_UNKNOWN_TOPIC_ID);
}

TEST_F(FetchStreamTest, NumberUsedTwiceEndsTheStream) {
  messages_.Store(kLog, "a");
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 1 << 20)));
  Read();
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 0)));
  v1::FetchResponse none;
  EXPECT_FALSE(stream_->Read(&none));
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(TrailerOf(*context_).reason(), v1::REASON_INVALID_ARGUMENT);
}

TEST_F(FetchStreamTest, RecordsComeAsStoredAndLaterOnesFollow) {
  messages_.Store(kLog, "one");
  messages_.Store(kLog, "two");
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 1 << 20)));
  v1::FetchedPartition fetched = Read();
  EXPECT_EQ(fetched.subscription_id(), 1U);
  EXPECT_EQ(fetched.topic_id(), IdBytes());
  EXPECT_EQ(fetched.records(), "onetwo");
  EXPECT_EQ(fetched.next_offset(), 2);
  EXPECT_EQ(fetched.high_watermark(), 2);
  EXPECT_EQ(fetched.leader_epoch(), 3);
  messages_.WaitForWaitingFetches(1);
  messages_.Store(kLog, "three");
  fetched = Read();
  EXPECT_EQ(fetched.records(), "three");
  EXPECT_EQ(fetched.next_offset(), 3);
}

TEST_F(FetchStreamTest, SubscriptionAtTheEndLearnsWhereThatIs) {
  messages_.Store(kLog, "old");
  ASSERT_TRUE(stream_->Write(Subscribe(1, 1, 1 << 20)));
  const v1::FetchedPartition fetched = Read();
  EXPECT_FALSE(fetched.has_error());
  EXPECT_TRUE(fetched.records().empty());
  EXPECT_EQ(fetched.next_offset(), 1);
  EXPECT_EQ(fetched.high_watermark(), 1);
}

TEST_F(FetchStreamTest, ReaderThatWasMovedOnIsToldSoWithoutRecords) {
  for (const char* batch : {"one", "two", "three"}) messages_.Store(kLog, batch);
  messages_.Skip({.first = Offset(1), .next = Offset(3)});
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 1 << 20)));
  EXPECT_EQ(Read().records(), "one");
  const v1::FetchedPartition moved = Read();
  EXPECT_FALSE(moved.has_error());
  EXPECT_TRUE(moved.records().empty());
  EXPECT_EQ(moved.next_offset(), 3);
}

TEST_F(FetchStreamTest, NothingIsSentBeyondTheCredit) {
  for (int i = 0; i < 10; ++i) messages_.Store(kLog, std::string(100, 'x'));
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 250)));
  // 200 bytes fit; the third batch begins within the credit and goes out whole.
  int64_t records = 0;
  while (records < 3) records += static_cast<int64_t>(Read().records().size() / 100);
  EXPECT_EQ(records, 3);
  v1::FetchRequest more;
  more.set_credit_bytes(150);
  ASSERT_TRUE(stream_->Write(more));
  EXPECT_EQ(Read().records().size(), 100U);
  // Everything was said with what was granted: no fetch asked for more than the credit of then.
  for (const broker::FetchRequest& fetch : messages_.fetches()) EXPECT_LE(fetch.bytes_max, 250);
}

TEST_F(FetchStreamTest, EveryPartitionGetsItsTurn) {
  const std::string chunk(size_t{1} << 20, 'x');
  for (int i = 0; i < 8; ++i) {
    messages_.Store(kLog, chunk);
    messages_.Store(kOtherLog, chunk);
  }
  v1::FetchRequest request = Subscribe(1, 0, uint64_t{64} << 20);
  *request.add_subscribe() = Subscribe(2, 0, 0, 1).subscribe(0);
  ASSERT_TRUE(stream_->Write(request));
  int first = 0;
  for (int i = 0; i < 8; ++i) first += Read().subscription_id() == 1 ? 1 : 0;
  EXPECT_EQ(first, 4);
}

TEST_F(FetchStreamTest, UnsubscribedPartitionIsSilentAndItsWaitGivenUp) {
  messages_.Store(kLog, "a");
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 1 << 20)));
  Read();
  messages_.WaitForWaitingFetches(1);
  v1::FetchRequest request = Subscribe(2, 1, 0);
  request.add_unsubscribe(1);
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Read().subscription_id(), 2U);
  messages_.WaitForWaitingFetches(1);
  messages_.Store(kLog, "b");
  EXPECT_EQ(Read().subscription_id(), 2U);
}

TEST_F(FetchStreamTest, ClientThatGoesLeavesNoFetchWaiting) {
  messages_.Store(kLog, "a");
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 1 << 20)));
  Read();
  messages_.WaitForWaitingFetches(1);
  context_->TryCancel();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  messages_.WaitForWaitingFetches(0);
}

TEST_F(FetchStreamTest, HalfClosedStreamGoesOnWithItsCredit) {
  messages_.Store(kLog, std::string(100, 'x'));
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 150)));
  ASSERT_TRUE(stream_->WritesDone());
  EXPECT_EQ(Read().records().size(), 100U);
  messages_.WaitForWaitingFetches(1);
  messages_.Store(kLog, std::string(100, 'y'));
  EXPECT_EQ(Read().records().size(), 100U);
  v1::FetchResponse none;
  EXPECT_FALSE(stream_->Read(&none));
  EXPECT_TRUE(stream_->Finish().ok());
  messages_.WaitForWaitingFetches(0);
}

TEST_F(FetchStreamTest, StopEndsTheStreamAndSaysWhy) {
  messages_.Store(kLog, "a");
  ASSERT_TRUE(stream_->Write(Subscribe(1, 0, 1 << 20)));
  Read();
  front_->Stop();
  front_.reset();
  v1::FetchResponse none;
  EXPECT_FALSE(stream_->Read(&none));
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(TrailerOf(*context_).reason(), v1::REASON_SHUTTING_DOWN);
  messages_.WaitForWaitingFetches(0);
}

class FetchOnceTest : public FrontTest {
 protected:
  static v1::FetchOnceRequest Ask(int64_t offset, uint32_t wait_ms, int32_t partition = 0) {
    v1::FetchOnceRequest request;
    *request.add_partitions() = Subscribe(1, offset, 0, partition).subscribe(0);
    request.set_wait_ms(wait_ms);
    return request;
  }
};

TEST_F(FetchOnceTest, CallWithoutPartitionsIsRefused) {
  const auto context = Context();
  v1::FetchResponse response;
  EXPECT_EQ(stub_->FetchOnce(context.get(), v1::FetchOnceRequest(), &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_INVALID_ARGUMENT);
}

TEST_F(FetchOnceTest, PartitionNamedTwiceIsRefusedByName) {
  v1::FetchOnceRequest request = Ask(0, 0, 7);
  *request.add_partitions() = Subscribe(2, 0, 0, 8).subscribe(0);
  *request.add_partitions() = Subscribe(3, 5, 0, 7).subscribe(0);
  const auto context = Context();
  v1::FetchResponse response;
  EXPECT_EQ(stub_->FetchOnce(context.get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(TrailerOf(*context).message(), testing::HasSubstr("partition 7 of topic"));
  EXPECT_TRUE(messages_.fetches().empty());
}

TEST_F(FetchOnceTest, EachPartitionHasAStatusOfItsOwn) {
  messages_.Store(kLog, "stored");
  v1::FetchOnceRequest request = Ask(0, 60'000);
  *request.add_partitions() = Subscribe(2, 0, 0, 7).subscribe(0);
  *request.add_partitions() = Subscribe(3, 0, 0, -7).subscribe(0);
  v1::FetchResponse response;
  ASSERT_TRUE(stub_->FetchOnce(Context().get(), request, &response).ok());
  ASSERT_EQ(response.partitions_size(), 3);
  EXPECT_EQ(response.partitions(0).records(), "stored");
  EXPECT_EQ(response.partitions(1).error().reason(), v1::REASON_UNKNOWN_TOPIC_ID);
  EXPECT_EQ(response.partitions(2).error().reason(), v1::REASON_UNKNOWN_PARTITION);
}

TEST_F(FetchOnceTest, PartitionsBehindTheLimitComeWithoutRecords) {
  messages_.Store(kLog, std::string(100, 'x'));
  messages_.Store(kOtherLog, std::string(100, 'y'));
  v1::FetchOnceRequest request = Ask(0, 0);
  *request.add_partitions() = Subscribe(2, 0, 0, 1).subscribe(0);
  request.set_bytes_max(100);
  v1::FetchResponse response;
  ASSERT_TRUE(stub_->FetchOnce(Context().get(), request, &response).ok());
  EXPECT_EQ(response.partitions(0).records().size(), 100U);
  EXPECT_TRUE(response.partitions(1).records().empty());
  EXPECT_EQ(response.partitions(1).next_offset(), 0);
  EXPECT_EQ(response.partitions(1).high_watermark(), 1);
}

TEST_F(FetchOnceTest, FirstRecordEndsTheWait) {
  messages_.Store(kLog, "a");
  messages_.Store(kOtherLog, "b");
  v1::FetchOnceRequest request = Ask(1, 60'000);
  *request.add_partitions() = Subscribe(2, 1, 0, 1).subscribe(0);
  std::thread producer([&] {
    messages_.WaitForWaitingFetches(2);
    messages_.Store(kOtherLog, "later");
  });
  v1::FetchResponse response;
  EXPECT_TRUE(stub_->FetchOnce(Context().get(), request, &response).ok());
  producer.join();
  ASSERT_EQ(response.partitions_size(), 2);
  EXPECT_EQ(response.partitions(0).next_offset(), 1);
  EXPECT_EQ(response.partitions(0).high_watermark(), 1);
  EXPECT_EQ(response.partitions(1).records(), "later");
  messages_.WaitForWaitingFetches(0);
}

TEST_F(FetchOnceTest, ClientThatGoesLeavesNoFetchWaiting) {
  messages_.Store(kLog, "a");
  const auto context = Context();
  std::thread canceller([&] {
    messages_.WaitForWaitingFetches(1);
    context->TryCancel();
  });
  v1::FetchResponse response;
  EXPECT_FALSE(stub_->FetchOnce(context.get(), Ask(1, 60'000), &response).ok());
  canceller.join();
  messages_.WaitForWaitingFetches(0);
}

TEST_F(FetchOnceTest, StopEndsTheWaitWithAnEmptyAnswer) {
  messages_.Store(kLog, "a");
  std::thread stopper([&] {
    messages_.WaitForWaitingFetches(1);
    front_->Stop();
  });
  v1::FetchResponse response;
  EXPECT_TRUE(stub_->FetchOnce(Context().get(), Ask(1, 60'000), &response).ok());
  stopper.join();
  front_.reset();
  EXPECT_EQ(response.partitions(0).high_watermark(), 1);
}

}  // namespace
}  // namespace talosmq::rpc
