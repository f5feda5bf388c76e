#include "kafka/served_apis.h"

#include "kafka/protocol/apis.h"
#include "support/kafka_messages.h"

#include "gtest/gtest.h"
#include "unit/kafka/handler_fixture.h"

#include <algorithm>
#include <deque>
#include <random>
#include <type_traits>

namespace talosmq::kafka {
namespace {

bool IsServed(ApiKey key, int16_t version) {
  return std::ranges::any_of(ServedRanges(), [&](const auto& range) {
    return range.api_key == static_cast<int16_t>(key) && range.min_version <= version &&
           version <= range.max_version;
  });
}

struct Gate {
  const char* what;
  ApiKey key;
  int16_t version;
};

void ExpectOpen(std::initializer_list<Gate> gates) {
  for (const Gate& gate : gates) {
    EXPECT_TRUE(IsServed(gate.key, gate.version))
        << gate.what << " needs " << ApiOf(gate.key).name << " " << gate.version;
  }
}

// librdkafka up to 2.10 turns a feature off unless just this version is served; compression even
// silently.
TEST(ServedApisTest, OldLibrdkafkaFindsItsFeatures) {
  ExpectOpen({
      {"batches of format 2", ApiKey::kProduce, 3},
      {"batches of format 2", ApiKey::kFetch, 4},
      {"asking for versions", ApiKey::kApiVersions, 0},
      {"gzip and snappy", ApiKey::kProduce, 0},
      {"lz4", ApiKey::kFindCoordinator, 0},
      {"zstd", ApiKey::kProduce, 7},
      {"zstd", ApiKey::kFetch, 10},
      {"groups", ApiKey::kFindCoordinator, 0},
      {"groups", ApiKey::kOffsetCommit, 1},
      {"groups", ApiKey::kOffsetCommit, 2},
      {"groups", ApiKey::kOffsetFetch, 1},
      {"groups", ApiKey::kJoinGroup, 0},
      {"groups", ApiKey::kSyncGroup, 0},
      {"groups", ApiKey::kHeartbeat, 0},
      {"groups", ApiKey::kLeaveGroup, 0},
      {"offsets by time", ApiKey::kListOffsets, 1},
      {"idempotence", ApiKey::kInitProducerId, 0},
  });
}

TEST(ServedApisTest, NothingIsMissingThatLibrdkafkaNeeds) {
  // The largest versions that 2.0.2 asks for.
  ExpectOpen({
      {"2.0.2", ApiKey::kProduce, 7},
      {"2.0.2", ApiKey::kFetch, 11},
      {"2.0.2", ApiKey::kListOffsets, 2},
      {"2.0.2", ApiKey::kMetadata, 4},
      {"2.0.2", ApiKey::kOffsetCommit, 7},
      {"2.0.2", ApiKey::kOffsetFetch, 7},
      {"2.0.2", ApiKey::kFindCoordinator, 2},
      {"2.0.2", ApiKey::kJoinGroup, 5},
      {"2.0.2", ApiKey::kHeartbeat, 3},
      {"2.0.2", ApiKey::kLeaveGroup, 1},
      {"2.0.2", ApiKey::kSyncGroup, 3},
      {"2.0.2", ApiKey::kApiVersions, 3},
      {"2.0.2", ApiKey::kInitProducerId, 4},
  });
}

// kafka-python 2.0.2 takes single versions for the age of the broker, and an old one for a reason
// to send batches that we do not store. Then it sends fixed versions without another look.
TEST(ServedApisTest, KafkaPythonTakesUsForNewEnough) {
  ExpectOpen({
      {"broker 2.4", ApiKey::kProduce, 8},
      {"broker 2.3", ApiKey::kFetch, 11},
      {"broker 2.2", ApiKey::kListOffsets, 5},
      {"broker 1.0", ApiKey::kMetadata, 5},
      {"produce", ApiKey::kProduce, 7},
      {"fetch", ApiKey::kFetch, 4},
      {"offsets", ApiKey::kListOffsets, 0},
      {"offsets", ApiKey::kListOffsets, 1},
      {"metadata", ApiKey::kMetadata, 0},
      {"metadata", ApiKey::kMetadata, 1},
      {"coordinator", ApiKey::kFindCoordinator, 0},
      {"join", ApiKey::kJoinGroup, 2},
      {"commit", ApiKey::kOffsetCommit, 2},
      {"committed", ApiKey::kOffsetFetch, 1},
  });
}

// Java 4 drops what is older (KIP-896), and asks for these at least.
TEST(ServedApisTest, NewJavaClientsFindTheOldestVersionsThatTheyKnow) {
  ExpectOpen({
      {"Java", ApiKey::kProduce, 3},
      {"Java", ApiKey::kFetch, 4},
      {"Java", ApiKey::kListOffsets, 1},
      {"Java", ApiKey::kOffsetCommit, 2},
      {"Java", ApiKey::kOffsetFetch, 1},
      {"Java", ApiKey::kCreateTopics, 2},
      {"Java", ApiKey::kDeleteTopics, 1},
      {"Java", ApiKey::kDescribeConfigs, 1},
      {"Java", ApiKey::kOffsetForLeaderEpoch, 2},
      {"Java", ApiKey::kOffsetForLeaderEpoch, 3},
  });
}

// What clients infer from the largest versions is not built.
TEST(ServedApisTest, TheLargestVersionsPromiseNothingThatIsNotBuilt) {
  struct Promise {
    const char* what;
    ApiKey key;
    int16_t version;
  };
  for (const Promise& promise : {Promise{"topic ids in fetches", ApiKey::kFetch, 13},
                                 {"transactions without adding partitions", ApiKey::kProduce, 12},
                                 {"the consumer protocol", ApiKey::kOffsetCommit, 9},
                                 {"the consumer protocol", ApiKey::kOffsetFetch, 9},
                                 {"the largest timestamp", ApiKey::kListOffsets, 7}}) {
    EXPECT_FALSE(IsServed(promise.key, promise.version)) << promise.what;
  }
}

TEST(ServedApisTest, TheCodecKnowsAllThatIsServed) {
  for (const auto& range : ServedRanges()) {
    const Api* const api = FindApi(range.api_key);
    ASSERT_NE(api, nullptr) << range.api_key;
    EXPECT_TRUE(api->has_version(range.min_version)) << api->name;
    EXPECT_TRUE(api->has_version(range.max_version)) << api->name;
  }
}

/// Fills a request with what reaches far into the handlers: names that there are, small numbers.
class LikelyFiller {
 public:
  LikelyFiller(uint32_t seed, int16_t version) : random_(seed), version_(version) {}

  template <typename T>
  void Field(Presence presence, T& field) {
    Fill(presence, field);
  }

 private:
  template <typename T>
  void Fill(Presence presence, std::optional<T>& field) {
    field.reset();
    if (presence != Presence::kAlways && random_() % 3 == 0) return;
    Fill(Presence::kAlways, field.emplace());
  }
  template <typename T>
  void Fill(Presence, std::vector<T>& field) {
    field.resize(random_() % 3);
    for (T& item : field) Fill(Presence::kAlways, item);
  }
  template <typename T>
  void Fill(Presence, T& field) {
    if constexpr (std::is_same_v<T, TopicId>) {
      field = random_() % 2 == 0 ? FakeTopics::kOrders : TopicId();
    } else if constexpr (std::is_class_v<T>) {
      VisitFields(*this, version_, field);
    } else if constexpr (std::is_same_v<T, bool>) {
      field = random_() % 2 == 0;
    } else {
      field = static_cast<T>(static_cast<int>(random_() % 8) - 3);
    }
  }
  void Fill(Presence, std::string_view& field) {
    static const std::string batch = BatchOf("value");
    static constexpr std::string_view kTexts[] = {"", "orders", "orders", "readers", "no topic"};
    const size_t choice = random_() % 6;
    field = choice == 5 ? std::string_view(batch) : kTexts[choice];
  }

  std::mt19937 random_;
  int16_t version_;
};

class EveryApiTest : public HandlerTest {
 protected:
  /// Calls `visit.operator()<Request, Response>(version)` for all that is served.
  template <typename Visit>
  static void ForEveryVersion(const Visit& visit) {
    for (const auto& range : ServedRanges()) {
      for (int16_t version = range.min_version; version <= range.max_version; ++version) {
        VisitApi(static_cast<ApiKey>(range.api_key), [&]<typename Request, typename Response>() {
          SCOPED_TRACE(testing::Message() << ApiOf(Request::kKey).name << " version " << version);
          visit.template operator()<Request, Response>(version);
        });
      }
    }
  }
  /// Sends likely requests of every API in every version, each of which has to have its answer, in
  /// its own version.
  void AskLikelyThings() {
    constexpr uint32_t kSeeds = 60;
    broker_.messages.Store(kOrders0, BatchOf("value"));
    ForEveryVersion([&]<typename Request, typename Response>(int16_t version) {
      for (uint32_t seed = 0; seed < kSeeds; ++seed) {
        Request request;
        LikelyFiller filler(seed, version);
        VisitFields(filler, version, request);
        const Answer answer = AnswerTo(FrameOf(request, version, 1));
        if (const auto* const frame = std::get_if<EncodedFrame>(&answer)) {
          std::string bytes;
          for (const base::Buffer& piece : frame->pieces) bytes += piece.text();
          ResponseIn<Response>(std::string_view(bytes).substr(sizeof(int32_t)), version, 1);
        }
      }
    });
  }
};

TEST_F(EveryApiTest, AnEmptyRequestIsAnsweredInEveryVersion) {
  ForEveryVersion([&]<typename Request, typename Response>(int16_t version) {
    if constexpr (std::is_same_v<Request, ProduceRequest>) return;  // Its default wants no answer.
    Ask<Response>(Request(), version);
  });
}

TEST_F(EveryApiTest, LikelyRequestsAreAnsweredInEveryVersion) { AskLikelyThings(); }

TEST_F(EveryApiTest, LikelyRequestsAreAnsweredInEveryVersionByGroupsThatFail) {
  broker_.groups.status = MakeError(Reason::kShuttingDown, "it stops");
  AskLikelyThings();
}

TEST_F(EveryApiTest, WhatCannotBeDecodedEndsTheConnection) {
  ForEveryVersion([&]<typename Request, typename Response>(int16_t version) {
    std::string frame = FrameOf(Request(), version, 1);
    frame += "more";
    EXPECT_TRUE(std::holds_alternative<EndOfConnection>(AnswerTo(frame)));
  });
}

}  // namespace
}  // namespace talosmq::kafka
