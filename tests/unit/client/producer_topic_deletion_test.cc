// A producer whose topic is deleted under it.

#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/client/producer_core_fixture.h"

#include <string>
#include <vector>

namespace talosmq::client {
namespace {

TEST_F(ProducerCoreTest, ADeletedTopicEndsEverythingOnceWithThatReason) {
  MustCreate();
  SendFirst();
  for (uint64_t tag = 1; tag <= 7; ++tag) Send(tag);
  net_->topics.clear();
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  const Deliveries delivered = TakeDelivered();
  EXPECT_EQ(delivered.size(), 7u);
  for (size_t i = 0; i < delivered.size(); ++i) {
    EXPECT_EQ(delivered[i], std::to_string(i + 1) + ":UnknownTopicId");
  }
  EXPECT_EQ(ReasonOf(producer_->TrySend({.value = "x"}, 8)), Reason::kUnknownTopicId);
  stream().Accept(2, 1);
  Run();
  EXPECT_EQ(TakeDelivered(), Deliveries{});
  EXPECT_TRUE(IsFlushed());
}

TEST_F(ProducerCoreTest, AfterTheEndOfItsTopicNothingIsAskedAnyMore) {
  MustCreate();
  SendFirst();
  Send(1);
  net_->topics.clear();
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  ASSERT_EQ(TakeDelivered().size(), 1u);
  net_->calls.clear();
  for (int i = 0; i < 10; ++i) Advance(absl::Seconds(1));
  EXPECT_EQ(net_->calls.size(), 0u);
}

TEST_F(ProducerCoreTest, ADeletedTopicIsToldOnceAfterTheLastDelivery) {
  std::vector<std::string> told;
  options_.on_topic_deleted = [&](const absl::Status& why) {
    told.push_back(std::string(ReasonName(ReasonOf(why))) + " after " +
                   std::to_string(delivered_.size()));
  };
  MustCreate();
  SendFirst();
  for (uint64_t tag = 1; tag <= 7; ++tag) Send(tag);
  net_->topics.clear();
  stream().Refuse(1, Reason::kUnknownTopicId);
  stream().Refuse(2, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  Advance(absl::Minutes(1));
  EXPECT_EQ(told, (std::vector<std::string>{"UnknownTopicId after 7"}));
}

TEST_F(ProducerCoreTest, ATopicThatIsBeingDeletedEndsEverythingWithTheSameReason) {
  MustCreate();
  SendFirst();
  Send(1);
  Send(2);
  net_->topics.clear();
  stream().Refuse(1, Reason::kTopicDeleting);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:UnknownTopicId", "2:UnknownTopicId"}));
}

TEST_F(ProducerCoreTest, AnIdleProducerHearsOfTheDeletionWithinItsMetadatasAge) {
  int told = 0;
  options_.on_topic_deleted = [&](const absl::Status&) { ++told; };
  MustCreate();
  net_->topics.clear();
  Advance(absl::Seconds(29));
  EXPECT_EQ(told, 0);
  Advance(absl::Seconds(1));
  EXPECT_EQ(told, 1);
}

TEST_F(ProducerCoreTest, ATopicOfTheSameNameIsAnotherOne) {
  int told = 0;
  options_.on_topic_deleted = [&](const absl::Status&) { ++told; };
  MustCreate();
  SendFirst();
  Send(1);
  net_->topics["events"].id = ScriptedTransport::IdOf(2);
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:UnknownTopicId"}));
  EXPECT_EQ(ReasonOf(producer_->TrySend({.value = "x"}, 2)), Reason::kUnknownTopicId);
  Advance(absl::Minutes(1));
  EXPECT_EQ(stream().written.size(), 2u) << "nothing for the new topic";
  EXPECT_EQ(told, 1);
}

TEST_F(ProducerCoreTest, AProducerThatIsBeingClosedIsNotToldOfADeletion) {
  options_.on_topic_deleted = [](const absl::Status&) { FAIL(); };
  MustCreate();
  SendFirst();
  Send(1);
  bool closed = false;
  producer_->Close([&](const absl::Status&) { closed = true; });
  net_->topics.clear();
  stream().Refuse(1, Reason::kUnknownTopicId);
  Run();
  Advance(absl::Seconds(1));
  EXPECT_EQ(TakeDelivered(), (Deliveries{"1:UnknownTopicId"}));
  EXPECT_TRUE(closed);
}

}  // namespace
}  // namespace talosmq::client
