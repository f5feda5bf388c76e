#include "kafka/fetch_sessions.h"

#include "base/bytes.h"
#include "support/manual_clock.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/kafka/fake_services.h"

#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Names = std::vector<std::string>;

/// Makes for ids that rise, each but the first twice.
class CountingRandom final : public base::Random {
 public:
  uint64_t Next() override { return next_++ / 2; }

 private:
  uint64_t next_ = 1;
};

class FetchSessionsTest : public testing::Test {
 protected:
  struct Log {
    int64_t end = 0;
    int64_t start = 0;
    int16_t error = 0;
    size_t bytes = 0;  ///< That the next answer has.
  };

  void Limit(FetchSessions::Options options) {
    sessions_ = std::make_unique<FetchSessions>(
        options,
        FetchSessions::Dependencies{.clock = clock_, .random = random_, .metrics = metrics_});
  }
  void SetUp() override { Limit({}); }

  /// "orders/3". The names live as long as the test.
  FetchRequest Request(int32_t id, int32_t epoch, const Names& partitions,
                       const Names& forgotten = {}) {
    FetchRequest request;
    request.session_id = id;
    request.session_epoch = epoch;
    for (const std::string& name : partitions) {
      const auto [topic, partition] = Split(name);
      request.topics.push_back({.name = topic, .partitions = {{.partition = partition}}});
    }
    for (const std::string& name : forgotten) {
      const auto [topic, partition] = Split(name);
      request.forgotten_topics.push_back({.name = topic, .partitions = {partition}});
    }
    return request;
  }
  /// Answers every partition of the plan as logs_ has it.
  FetchResponse Answer(const FetchPlan& plan) {
    FetchResponse response;
    response.error_code = Wire(plan.error);
    for (const FetchedPartition& fetched : plan.partitions) {
      auto& topic = response.topics.emplace_back();
      topic.name = *fetched.topic;
      auto& answer = topic.partitions.emplace_back();
      const Log& log = logs_[topic.name + "/" + std::to_string(fetched.asked.partition)];
      answer.partition = fetched.asked.partition;
      answer.error_code = log.error;
      answer.high_watermark = log.error == 0 ? log.end : -1;
      answer.log_start_offset = log.start;
      answer.records.emplace(std::vector{
          base::Buffer::CopyOf(base::AsBytes(std::string_view(std::string(log.bytes, 'r'))))});
    }
    sessions_->Finish(plan, response);
    return response;
  }
  FetchResponse Fetch(int32_t id, int32_t epoch, const Names& partitions,
                      const Names& forgotten = {}) {
    return Answer(sessions_->Begin(Request(id, epoch, partitions, forgotten)));
  }
  int32_t Open(const Names& partitions) { return Fetch(0, 0, partitions).session_id; }
  static Names Told(const FetchResponse& response) {
    Names names;
    for (const auto& topic : response.topics) {
      for (const auto& partition : topic.partitions) {
        names.push_back(topic.name + "/" + std::to_string(partition.partition));
      }
    }
    return names;
  }
  static Names Many(int count) {
    Names names;
    for (int i = 0; i < count; ++i) names.push_back("orders/" + std::to_string(i));
    return names;
  }

  support::ManualClock clock_;
  CountingRandom random_;
  CountingRegistry metrics_;
  std::unique_ptr<FetchSessions> sessions_;
  std::map<std::string, Log> logs_;

 private:
  std::pair<std::string_view, int32_t> Split(const std::string& name) {
    const size_t slash = name.rfind('/');
    return {texts_.emplace_back(name.substr(0, slash)), std::stoi(name.substr(slash + 1))};
  }

  std::deque<std::string> texts_;
};

constexpr int16_t kNotFound = 70;
constexpr int16_t kInvalidEpoch = 71;

TEST_F(FetchSessionsTest, WithoutASessionEverythingIsToldEachTime) {
  for (int i = 0; i < 2; ++i) {
    const FetchResponse told = Fetch(0, -1, {"a/0", "b/0"});
    EXPECT_THAT(Told(told), ElementsAre("a/0", "b/0"));
    EXPECT_EQ(told.session_id, 0);
  }
  EXPECT_EQ(sessions_->size(), 0);
}

TEST_F(FetchSessionsTest, OnlyNewsIsTold) {
  const int32_t id = Open({"a/0", "a/1", "b/0"});
  ASSERT_GT(id, 0);
  EXPECT_THAT(Told(Fetch(id, 1, {})), IsEmpty());
  logs_["a/1"].end = 7;
  EXPECT_THAT(Told(Fetch(id, 2, {})), ElementsAre("a/1"));
  logs_["b/0"].start = 5;
  EXPECT_THAT(Told(Fetch(id, 3, {})), ElementsAre("b/0"));
  const FetchResponse nothing = Fetch(id, 4, {});
  EXPECT_THAT(Told(nothing), IsEmpty());
  EXPECT_EQ(nothing.session_id, id);
  EXPECT_EQ(nothing.error_code, 0);
}

TEST_F(FetchSessionsTest, ErrorsAreToldEachTimeAndTheirEndOnce) {
  const int32_t id = Open({"a/0"});
  logs_["a/0"].error = 6;
  EXPECT_THAT(Told(Fetch(id, 1, {})), ElementsAre("a/0"));
  EXPECT_THAT(Told(Fetch(id, 2, {})), ElementsAre("a/0"));
  logs_["a/0"].error = 0;
  EXPECT_THAT(Told(Fetch(id, 3, {})), ElementsAre("a/0"));
  EXPECT_THAT(Told(Fetch(id, 4, {})), IsEmpty());
}

TEST_F(FetchSessionsTest, PartitionsComeAndGo) {
  const int32_t id = Open({"a/0"});
  EXPECT_THAT(Told(Fetch(id, 1, {"b/0"})), ElementsAre("b/0"));
  const FetchPlan plan = sessions_->Begin(Request(id, 2, {}, {"a/0", "never/0"}));
  ASSERT_EQ(plan.partitions.size(), 1u);
  EXPECT_EQ(*plan.partitions[0].topic, "b");
}

TEST_F(FetchSessionsTest, APartitionThatIsNamedAgainIsReadAsItIsAskedThen) {
  const int32_t id = Open({"a/0"});
  FetchRequest moved = Request(id, 1, {"a/0"});
  moved.topics[0].partitions[0].fetch_offset = 42;
  Answer(sessions_->Begin(moved));
  const FetchPlan plan = sessions_->Begin(Request(id, 2, {}));
  ASSERT_EQ(plan.partitions.size(), 1u);
  EXPECT_EQ(plan.partitions[0].asked.fetch_offset, 42);
}

// A repeat was read, and counted, once more.
TEST_F(FetchSessionsTest, APartitionThatIsRepeatedIsFetchedOnceAsItIsAskedForLast) {
  for (const int32_t epoch : {0, -1}) {
    FetchRequest request = Request(0, epoch, {"a/0", "b/0", "a/0", "a/1", "a/0"});
    request.topics.back().partitions.back().fetch_offset = 42;
    const FetchPlan plan = sessions_->Begin(request);
    std::vector<std::string> names;
    for (const auto& fetched : plan.partitions) {
      names.push_back(*fetched.topic + "/" + std::to_string(fetched.asked.partition));
    }
    EXPECT_THAT(names, ElementsAre("a/0", "b/0", "a/1"));
    EXPECT_EQ(plan.partitions[0].asked.fetch_offset, 42);
    EXPECT_EQ(plan.partitions[2].asked.fetch_offset, 0);
  }
}

TEST_F(FetchSessionsTest, WhoHadItsTurnComesLast) {
  const int32_t id = Open({"a/0", "a/1", "a/2"});
  logs_["a/0"].bytes = 10;
  EXPECT_THAT(Told(Fetch(id, 1, {})), ElementsAre("a/0"));
  const FetchPlan plan = sessions_->Begin(Request(id, 2, {}));
  std::vector<int32_t> order;
  for (const auto& fetched : plan.partitions) order.push_back(fetched.asked.partition);
  EXPECT_THAT(order, ElementsAre(1, 2, 0));
}

TEST_F(FetchSessionsTest, ASessionThatNobodyOpenedIsNotFound) {
  EXPECT_EQ(Fetch(0, 1, {"a/0"}).error_code, kNotFound);
  EXPECT_EQ(Fetch(77, 1, {"a/0"}).error_code, kNotFound);
}

TEST_F(FetchSessionsTest, AnyOtherEpochThanTheNextIsRefusedAndChangesNothing) {
  const int32_t id = Open({"a/0"});
  for (const int32_t wrong : {2, -2, std::numeric_limits<int32_t>::max()}) {
    const FetchResponse told = Fetch(id, wrong, {"b/0"}, {"a/0"});
    EXPECT_EQ(told.error_code, kInvalidEpoch);
    EXPECT_EQ(told.session_id, 0);
  }
  EXPECT_EQ(Fetch(id, 1, {}).error_code, 0);
  EXPECT_EQ(Fetch(id, 1, {}).error_code, kInvalidEpoch);
}

TEST_F(FetchSessionsTest, OfTwoFetchesAtOnceTheOvertakenOneIsRefused) {
  const int32_t id = Open({"a/0"});
  const FetchPlan first = sessions_->Begin(Request(id, 1, {}));
  const FetchPlan second = sessions_->Begin(Request(id, 2, {}, {"a/0"}));
  const FetchPlan third = sessions_->Begin(Request(0, 0, {"a/0"}));
  EXPECT_EQ(second.kind, FetchPlan::Kind::kWhole);  // Nothing was left in the session.
  EXPECT_EQ(Answer(first).error_code, kNotFound);
  const int32_t other = Answer(third).session_id;
  const FetchPlan slow = sessions_->Begin(Request(other, 1, {}));
  EXPECT_EQ(Fetch(other, 2, {}).error_code, 0);
  EXPECT_EQ(Answer(slow).error_code, kInvalidEpoch);
  EXPECT_THAT(Told(Answer(slow)), IsEmpty());
}

TEST_F(FetchSessionsTest, AFetchLearnsThatItIsOvertaken) {
  const int32_t id = Open({"a/0"});
  const FetchPlan first = sessions_->Begin(Request(id, 1, {}));
  EXPECT_EQ(Fetch(id, 7, {}).error_code, kInvalidEpoch);
  EXPECT_FALSE(first.is_overtaken());
  const FetchPlan second = sessions_->Begin(Request(id, 2, {}));
  EXPECT_TRUE(first.is_overtaken());
  EXPECT_FALSE(second.is_overtaken());
  sessions_->Begin(Request(id, -1, {}));
  EXPECT_TRUE(second.is_overtaken());
}

// Whoever is told may call back: it is told outside of the lock.
TEST_F(FetchSessionsTest, AFetchLearnsThatItsSessionHasMadeRoom) {
  Limit({.sessions_max = 1});
  const FetchPlan plan = sessions_->Begin(Request(Open({"a/0"}), 1, {}));
  FetchResponse told;
  plan.overtaking->SetListener([&] { told = Answer(plan); });
  clock_.Advance(FetchSessions::kEvictionAge + absl::Seconds(1));
  EXPECT_NE(Open({"a/0"}), 0);
  EXPECT_EQ(told.error_code, kNotFound);
}

TEST_F(FetchSessionsTest, NothingIsToldOrLearntOfAPartitionThatWasPassedOver) {
  const int32_t id = Open({"a/0", "a/1"});
  logs_["a/0"].end = 5;
  logs_["a/1"].end = -1;
  EXPECT_THAT(Told(Fetch(id, 1, {})), ElementsAre("a/0"));
  logs_["a/1"].end = 0;
  EXPECT_THAT(Told(Fetch(id, 2, {})), IsEmpty());
}

TEST_F(FetchSessionsTest, AWholeFetchEndsTheSessionThatItNames) {
  for (const int32_t epoch : {0, -1}) {
    const int32_t id = Open({"a/0"});
    const int32_t next = Fetch(id, epoch, {"a/0"}).session_id;
    EXPECT_EQ(next == 0, epoch == -1);
    EXPECT_EQ(Fetch(id, 1, {}).error_code, kNotFound);
  }
}

TEST_F(FetchSessionsTest, ASessionWithoutPartitionsIsNone) {
  EXPECT_EQ(Open({}), 0);
  const int32_t id = Open({"a/0"});
  const FetchResponse told = Fetch(id, 1, {}, {"a/0"});
  EXPECT_EQ(told.error_code, 0);
  EXPECT_EQ(told.session_id, 0);
  EXPECT_EQ(sessions_->size(), 0);
}

TEST_F(FetchSessionsTest, IdsAreNotGivenTwice) {
  std::set<int32_t> ids;
  for (int i = 0; i < 5; ++i) ids.insert(Open({"a/0"}));
  EXPECT_EQ(ids.size(), 5u);
  for (const int32_t id : ids) EXPECT_EQ(Fetch(id, 1, {}).session_id, id);
}

TEST_F(FetchSessionsTest, AFullCacheGivesNoSessionUntilOneIsStale) {
  Limit({.sessions_max = 2});
  const int32_t old = Open({"a/0"});
  clock_.Advance(absl::Seconds(1));
  const int32_t used = Open({"a/0"});
  EXPECT_EQ(Open({"a/0", "a/1"}), 0);
  clock_.Advance(FetchSessions::kEvictionAge);
  EXPECT_EQ(Fetch(used, 1, {}).error_code, 0);
  EXPECT_NE(Open({"a/0"}), 0);
  EXPECT_EQ(Fetch(old, 1, {}).error_code, kNotFound);
  EXPECT_EQ(Fetch(used, 2, {}).error_code, 0);
}

TEST_F(FetchSessionsTest, AnOldSessionMakesRoomForALargerOneOnly) {
  Limit({.sessions_max = 2});
  const int32_t small = Open(Many(2));
  const int32_t large = Open(Many(5));
  clock_.Advance(FetchSessions::kEvictionAge + absl::Seconds(1));
  for (const int32_t id : {small, large}) EXPECT_EQ(Fetch(id, 1, {}).error_code, 0);
  EXPECT_EQ(Open(Many(2)), 0);
  EXPECT_NE(Open(Many(3)), 0);
  EXPECT_EQ(Fetch(small, 2, {}).error_code, kNotFound);
  EXPECT_EQ(Fetch(large, 2, {}).error_code, 0);
}

TEST_F(FetchSessionsTest, AYoungSessionStaysHoweverLargeTheOther) {
  Limit({.sessions_max = 1});
  const int32_t id = Open({"a/0"});
  EXPECT_EQ(Open(Many(100)), 0);
  EXPECT_EQ(Fetch(id, 1, {}).error_code, 0);
}

TEST_F(FetchSessionsTest, NoSessionHasMorePartitionsThanTheBound) {
  Limit({.session_partitions_max = 3});
  EXPECT_EQ(Open(Many(4)), 0);
  const int32_t id = Open(Many(3));
  EXPECT_EQ(Fetch(id, 1, {"more/0"}, {"orders/0"}).error_code, 0);
  EXPECT_EQ(Fetch(id, 2, {"more/1"}).error_code, kNotFound);
  EXPECT_EQ(sessions_->size(), 0);
}

// Each of them was put into the session before anybody counted.
TEST_F(FetchSessionsTest, AFetchThatNamesMoreThanASessionHasRoomForEndsIt) {
  Limit({.session_partitions_max = 3});
  const Names repeated(4, "orders/0");
  EXPECT_EQ(Fetch(Open({"orders/0"}), 1, repeated).error_code, kNotFound);
  EXPECT_EQ(Fetch(Open({"orders/0"}), 1, {}, repeated).error_code, kNotFound);
  EXPECT_EQ(Fetch(77, 1, repeated).error_code, kNotFound);
  const int32_t id = Open({"orders/0"});
  EXPECT_EQ(Fetch(id, 2, repeated).error_code, kInvalidEpoch);
  EXPECT_EQ(Fetch(id, 1, Names(3, "orders/0")).error_code, 0);
}

TEST_F(FetchSessionsTest, AllSessionsTogetherHaveNoMorePartitionsThanTheBound) {
  Limit({.partitions_max = 5});
  const int32_t first = Open(Many(3));
  EXPECT_EQ(Open(Many(3)), 0);
  const int32_t second = Open(Many(2));
  EXPECT_EQ(Fetch(second, 1, {"more/1"}).error_code, kNotFound);
  EXPECT_EQ(Fetch(first, 1, {"more/1", "more/2"}).error_code, 0);
  clock_.Advance(FetchSessions::kEvictionAge + absl::Seconds(1));
  EXPECT_NE(Open(Many(5)), 0);
  EXPECT_EQ(sessions_->size(), 1);
}

TEST_F(FetchSessionsTest, SessionsTheirPartitionsAndEvictionsAreCounted) {
  Limit({.sessions_max = 2});
  const auto expect_counts = [this](int64_t sessions, int64_t partitions, int64_t evictions) {
    EXPECT_EQ(metrics_.ValueOf("talosmq_kafka_fetch_sessions"), sessions);
    EXPECT_EQ(metrics_.ValueOf("talosmq_kafka_fetch_session_partitions"), partitions);
    EXPECT_EQ(metrics_.ValueOf("talosmq_kafka_fetch_session_evictions_total"), evictions);
  };
  expect_counts(0, 0, 0);
  const int32_t id = Open({"a/0", "a/1"});
  Open({"a/0"});
  expect_counts(2, 3, 0);
  Fetch(id, 1, {"b/0"}, {"a/0", "a/1"});
  expect_counts(2, 2, 0);
  Open(Many(100));
  expect_counts(2, 2, 0);
  clock_.Advance(FetchSessions::kEvictionAge + absl::Seconds(1));
  const int32_t last = Open(Many(4));
  expect_counts(2, 5, 1);
  Fetch(last, -1, {});
  expect_counts(1, 1, 1);
}

TEST_F(FetchSessionsTest, NamesThatNoTopicHasAreNotKept) {
  const std::string name(250, 'n');
  EXPECT_EQ(Open({name + "/0"}), 0);
  const int32_t id = Open({"a/0"});
  EXPECT_EQ(Fetch(id, 1, {name + "/0"}).error_code, kNotFound);
}

// What a client of a session puts together from all answers is what it would be told without one.
TEST_F(FetchSessionsTest, NewsAddUpToTheWhole) {
  constexpr int kRounds = 300;
  const Names names = Many(6);
  std::map<std::string, int64_t> known;
  const auto learn = [&](const FetchResponse& told) {
    for (const auto& topic : told.topics) {
      for (const auto& partition : topic.partitions) {
        known[topic.name + "/" + std::to_string(partition.partition)] = partition.high_watermark;
      }
    }
  };
  const FetchResponse opened = Fetch(0, 0, names);
  learn(opened);
  uint32_t seed = 1;
  for (int32_t epoch = 1; epoch <= kRounds; ++epoch) {
    for (const std::string& name : names) {
      seed = seed * 1664525 + 1013904223;
      Log& log = logs_[name];
      log.end += seed % 5 == 0 ? 1 : 0;
      log.error = seed % 17 == 0 ? int16_t{6} : int16_t{0};
      log.bytes = seed % 3;
    }
    learn(Fetch(opened.session_id, epoch, {}));
    for (const std::string& name : names) {
      EXPECT_EQ(known[name], logs_[name].error == 0 ? logs_[name].end : -1) << name;
    }
  }
}

}  // namespace
}  // namespace talosmq::kafka
