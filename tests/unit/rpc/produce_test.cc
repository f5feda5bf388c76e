#include "unit/rpc/front_fixture.h"

#include <string>
#include <thread>

namespace talosmq::rpc {
namespace {

class ProduceStreamTest : public FrontTest {
 protected:
  ProduceStreamTest() : context_(Context()), stream_(stub_->Produce(context_.get())) {}

  v1::ProduceResponse Read() {
    v1::ProduceResponse response;
    EXPECT_TRUE(stream_->Read(&response)) << stream_->Finish().error_message();
    return response;
  }

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ProduceRequest, v1::ProduceResponse>> stream_;
};

TEST_F(ProduceStreamTest, MessageOfTooManyBatchesEndsTheStreamWithItsReason) {
  v1::ProduceRequest request;
  for (int i = 0; i < 10'001; ++i) request.add_batches();
  ASSERT_TRUE(stream_->Write(request));
  v1::ProduceResponse none;
  EXPECT_FALSE(stream_->Read(&none));
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(TrailerOf(*context_).reason(), v1::REASON_INVALID_ARGUMENT);
  EXPECT_EQ(messages_.appends(), 0U);
}

TEST_F(ProduceStreamTest, EveryBatchComesBackWithItsOffsets) {
  v1::ProduceRequest request = Request(7, "first");
  *request.add_batches() = Request(7, "second", 1).batches(0);
  ASSERT_TRUE(stream_->Write(request));
  int acks = 0;
  while (acks < 2) {
    const v1::ProduceResponse response = Read();
    EXPECT_EQ(response.request_id(), 7U);
    for (const v1::PartitionAck& ack : response.acks()) {
      EXPECT_FALSE(ack.has_error());
      EXPECT_EQ(ack.base_offset(), 0);
      EXPECT_EQ(ack.leader_epoch(), 3);
      EXPECT_FALSE(ack.has_log_append_time_ms());
      ++acks;
    }
  }
  const auto appended = messages_.WaitForAppends(2);
  EXPECT_EQ(appended[0].bytes, "first");
  EXPECT_EQ(appended[1].bytes, "second");
  EXPECT_EQ(appended[1].request.target, kOtherLog);
  stream_->WritesDone();
  v1::ProduceResponse none;
  EXPECT_FALSE(stream_->Read(&none));
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(ProduceStreamTest, WrongTopicIdIsAnsweredAndTheStreamGoesOn) {
  v1::ProduceRequest wrong = Request(1, "lost");
  wrong.mutable_batches(0)->set_topic_id("short");
  ASSERT_TRUE(stream_->Write(wrong));
  EXPECT_EQ(Read().acks(0).error().reason(), v1::REASON_UNKNOWN_TOPIC_ID);
  ASSERT_TRUE(stream_->Write(Request(2, "kept")));
  EXPECT_FALSE(Read().acks(0).has_error());
  EXPECT_EQ(messages_.appends(), 1U);
}

TEST_F(ProduceStreamTest, NegativePartitionIsAnsweredAndTheStreamGoesOn) {
  ASSERT_TRUE(stream_->Write(Request(1, "lost", -4)));
  const v1::ProduceResponse response = Read();
  EXPECT_EQ(response.acks(0).error().reason(), v1::REASON_UNKNOWN_PARTITION);
  EXPECT_EQ(response.acks(0).partition(), -4);
  ASSERT_TRUE(stream_->Write(Request(2, "kept")));
  EXPECT_FALSE(Read().acks(0).has_error());
}

TEST_F(ProduceStreamTest, UnknownAcksAreAnsweredAndNothingIsAppended) {
  v1::ProduceRequest request = Request(1, "lost");
  request.set_acks(static_cast<v1::Acks>(9));
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Read().acks(0).error().reason(), v1::REASON_INVALID_ACKS);
  EXPECT_EQ(messages_.appends(), 0U);
}

TEST_F(ProduceStreamTest, RefusalNamesReasonRetryAndLeader) {
  messages_.FailAppendsWith(MakeNotLeader("broker 2 leads orders/0", "host-2:9191"));
  ASSERT_TRUE(stream_->Write(Request(1, "lost")));
  const v1::Error error = Read().acks(0).error();
  EXPECT_EQ(error.reason(), v1::REASON_NOT_LEADER);
  EXPECT_EQ(error.leader_address(), "host-2:9191");
  EXPECT_EQ(error.message(), "broker 2 leads orders/0");
  EXPECT_EQ(error.retry_safe(), IsRetrySafe(Reason::kNotLeader));
}

TEST_F(ProduceStreamTest, AcksNoneIsAppendedAndNotAnswered) {
  v1::ProduceRequest request = Request(1, "fire");
  request.set_acks(v1::ACKS_NONE);
  ASSERT_TRUE(stream_->Write(request));
  ASSERT_TRUE(stream_->Write(Request(2, "and forget")));
  EXPECT_EQ(Read().request_id(), 2U);
  EXPECT_EQ(messages_.appends(), 2U);
}

TEST_F(ProduceStreamTest, HalfClosedStreamStillGetsItsAnswers) {
  messages_.HoldAnswers();
  ASSERT_TRUE(stream_->Write(Request(1, "late")));
  ASSERT_TRUE(stream_->WritesDone());
  messages_.WaitForAppends(1);
  messages_.LetAnswersGo();
  EXPECT_EQ(Read().request_id(), 1U);
  v1::ProduceResponse none;
  EXPECT_FALSE(stream_->Read(&none));
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(ProduceStreamTest, ReadingStopsWhileTooMuchIsUnanswered) {
  messages_.HoldAnswers();
  const std::string batch(size_t{8} << 20, 'x');
  std::thread writer([&] {
    for (uint64_t i = 0; i < 12; ++i) stream_->Write(Request(i, batch));
  });
  // Four of 8 MiB reach the bound of 32 MiB; the fifth is not read.
  messages_.WaitForAppends(4);
  for (int i = 0; i < 50; ++i) {  // What would still be read has come by then.
    v1::InitProducerResponse response;
    ASSERT_TRUE(stub_->InitProducer(Context().get(), v1::InitProducerRequest(), &response).ok());
  }
  EXPECT_LE(messages_.appends(), 4U);
  messages_.LetAnswersGo();
  for (int i = 0; i < 12; ++i) Read();
  writer.join();
  EXPECT_EQ(messages_.appends(), 12U);
}

TEST_F(ProduceStreamTest, AnswersAfterTheClientHasGoneAreDropped) {
  messages_.HoldAnswers();
  ASSERT_TRUE(stream_->Write(Request(1, "orphaned")));
  messages_.WaitForAppends(1);
  context_->TryCancel();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  messages_.LetAnswersGo();
  EXPECT_EQ(messages_.appends(), 1U);
}

TEST_F(ProduceStreamTest, StopSendsWhatIsOwedAndSaysWhy) {
  messages_.HoldAnswers();
  ASSERT_TRUE(stream_->Write(Request(1, "under way")));
  messages_.WaitForAppends(1);
  std::thread stopper([&] { front_->Stop(); });
  messages_.LetAnswersGo();
  EXPECT_EQ(Read().request_id(), 1U);
  v1::ProduceResponse none;
  EXPECT_FALSE(stream_->Read(&none));
  const grpc::Status status = stream_->Finish();
  stopper.join();
  front_.reset();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(TrailerOf(*context_).reason(), v1::REASON_SHUTTING_DOWN);
}

class ProduceOnceTest : public FrontTest {};

TEST_F(ProduceOnceTest, UnknownAcksFailTheCallWithItsReason) {
  v1::ProduceRequest request = Request(1, "lost");
  request.set_acks(static_cast<v1::Acks>(9));
  const auto context = Context();
  v1::ProduceResponse response;
  const grpc::Status status = stub_->ProduceOnce(context.get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(TrailerOf(*context).reason(), v1::REASON_INVALID_ACKS);
  EXPECT_FALSE(TrailerOf(*context).retry_safe());
}

TEST_F(ProduceOnceTest, EachBatchHasAStatusOfItsOwn) {
  v1::ProduceRequest request = Request(9, "good");
  *request.add_batches() = Request(9, "bad", -1).batches(0);
  const auto context = Context();
  v1::ProduceResponse response;
  ASSERT_TRUE(stub_->ProduceOnce(context.get(), request, &response).ok());
  ASSERT_EQ(response.acks_size(), 2);
  EXPECT_EQ(response.request_id(), 9U);
  EXPECT_FALSE(response.acks(0).has_error());
  EXPECT_EQ(response.acks(1).error().reason(), v1::REASON_UNKNOWN_PARTITION);
}

TEST_F(ProduceOnceTest, DeadlineOfTheCallBoundsTheAppend) {
  const auto context = Context();
  v1::ProduceRequest request = Request(1, "soon");
  request.set_timeout_ms(3'600'000);
  v1::ProduceResponse response;
  const absl::Duration before = clock_.Monotonic();
  ASSERT_TRUE(stub_->ProduceOnce(context.get(), request, &response).ok());
  const absl::Duration deadline = messages_.WaitForAppends(1)[0].request.deadline;
  EXPECT_GT(deadline, before);
  EXPECT_LT(deadline, before + absl::Seconds(30));
}

TEST_F(ProduceOnceTest, TimeoutOfTheRequestBoundsTheAppend) {
  const auto context = Context();
  v1::ProduceRequest request = Request(1, "sooner");
  request.set_timeout_ms(1000);
  v1::ProduceResponse response;
  ASSERT_TRUE(stub_->ProduceOnce(context.get(), request, &response).ok());
  EXPECT_LT(messages_.WaitForAppends(1)[0].request.deadline, clock_.Monotonic() + absl::Seconds(2));
}

TEST_F(ProduceOnceTest, AcksNoneAndNoBatchesAreAnsweredAtOnce) {
  messages_.HoldAnswers();
  v1::ProduceRequest request = Request(1, "fire");
  request.set_acks(v1::ACKS_NONE);
  v1::ProduceResponse response;
  EXPECT_TRUE(stub_->ProduceOnce(Context().get(), request, &response).ok());
  EXPECT_EQ(response.acks_size(), 0);
  EXPECT_TRUE(stub_->ProduceOnce(Context().get(), v1::ProduceRequest(), &response).ok());
  messages_.LetAnswersGo();
}

TEST_F(ProduceOnceTest, MessageAboveTheReceiveLimitIsRefused) {
  v1::ProduceResponse response;
  const grpc::Status status = stub_->ProduceOnce(
      Context().get(), Request(1, std::string(size_t{25} << 20, 'x')), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(stub_->ProduceOnce(Context().get(), Request(2, "small"), &response).ok());
}

TEST_F(ProduceOnceTest, CompressedMessageIsRefused) {
  const auto context = Context();
  context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::ProduceResponse response;
  const grpc::Status status =
      stub_->ProduceOnce(context.get(), Request(1, std::string(100'000, 'x')), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(messages_.appends(), 0U);
}

}  // namespace
}  // namespace talosmq::rpc
