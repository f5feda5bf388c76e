#include "unit/kafka/message_text.h"
#include "unit/kafka/random_message.h"
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace talosmq::kafka {
namespace {

constexpr uint32_t kSeeds = 50;  ///< Of every message in every version.

TEST(RoundTripTest, WhatIsWrittenIsReadBackTheSame) {
  ForEveryMessage([]<typename Message>(int16_t version) {
    for (uint32_t seed = 0; seed < kSeeds; ++seed) {
      RandomFiller filler(seed, version);
      Message message;
      VisitFields(filler, version, message);
      const std::string bytes = Encoded(version, message);
      Message read;
      const absl::Status status = DecodeAll(bytes, version, read);
      ASSERT_TRUE(status.ok()) << ApiOf(Message::kKey).name << " " << version << ", seed " << seed
                               << ": " << status;
      ASSERT_EQ(read, message) << ApiOf(Message::kKey).name << " " << version << ", seed " << seed;
      ASSERT_EQ(Encoded(version, read), bytes);
    }
  });
}

TEST(RoundTripTest, WhatReadsIntoAUsedMessageLeavesNothingOfBefore) {
  ForEveryMessage([]<typename Message>(int16_t version) {
    RandomFiller filler(1, version);
    Message used;
    VisitFields(filler, version, used);
    Message fresh;
    RandomFiller other(2, version);
    VisitFields(other, version, fresh);
    const std::string bytes = Encoded(version, fresh);
    ASSERT_TRUE(DecodeAll(bytes, version, used).ok());
    ASSERT_EQ(used, fresh) << ApiOf(Message::kKey).name << " " << version;
  });
}

}  // namespace
}  // namespace talosmq::kafka
