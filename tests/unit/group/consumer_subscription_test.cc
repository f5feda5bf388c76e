#include "group/consumer_subscription.h"

#include "gtest/gtest.h"

#include <optional>
#include <string>

namespace talosmq::group {
namespace {

TEST(ConsumerSubscriptionTest, TopicsAreReadFromTheBeginning) {
  const std::string bytes("\0\3\0\0\0\2\0\1a\0\2bcmore", 17);
  EXPECT_EQ(TopicsOfConsumer(bytes), (std::set<std::string>{"a", "bc"}));
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\0\0\0\0\0\0", 6)), std::set<std::string>());
}

TEST(ConsumerSubscriptionTest, AnythingElseIsNothing) {
  const std::string bytes("\0\0\0\0\0\1\0\3abc", 11);
  ASSERT_TRUE(TopicsOfConsumer(bytes).has_value());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(TopicsOfConsumer(std::string_view(bytes).substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\xff\xff\0\0\0\0", 6)), std::nullopt);
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\0\0\xff\xff\xff\xff", 6)), std::nullopt);
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\0\0\0\0\0\1\xff\xff", 8)), std::nullopt);
  EXPECT_EQ(TopicsOfConsumer(std::string_view("\0\0\x7f\xff\xff\xff", 6)), std::nullopt);
}

}  // namespace
}  // namespace talosmq::group
