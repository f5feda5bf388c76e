#include "kafka/protocol/api.h"

#include "kafka/protocol/apis.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace talosmq::kafka {
namespace {

TEST(ApiTest, AKeyFindsItsApiAndNoOther) {
  size_t found = 0;
  for (int32_t key = INT16_MIN; key <= INT16_MAX; ++key) {
    const Api* const api = FindApi(static_cast<int16_t>(key));
    if (api == nullptr) continue;
    ++found;
    EXPECT_EQ(static_cast<int32_t>(api->key), key);
    EXPECT_EQ(&ApiOf(api->key), api);
  }
  EXPECT_EQ(found, std::size(kApis));
}

TEST(ApiTest, VersionsAreWhatTheTableSays) {
  const Api& fetch = ApiOf(ApiKey::kFetch);
  EXPECT_FALSE(fetch.has_version(3));
  EXPECT_TRUE(fetch.has_version(4));
  EXPECT_TRUE(fetch.has_version(12));
  EXPECT_FALSE(fetch.has_version(13));
  EXPECT_FALSE(fetch.is_flexible(11));
  EXPECT_TRUE(fetch.is_flexible(12));
  EXPECT_FALSE(ApiOf(ApiKey::kSaslHandshake).is_flexible(1));
}

TEST(ApiTest, TheDocumentListsTheApis) {
  std::ifstream page("docs/formats/kafka-messages.md");
  std::string listed;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("| ") && line[2] >= '0' && line[2] <= '9') listed += line + "\n";
  }
  std::ostringstream known;
  for (const Api& api : kApis) {
    known << "| " << static_cast<int16_t>(api.key) << " | " << api.name << " | " << api.version_min
          << "-" << api.version_max << " | ";
    api.flexible_min == kNeverFlexible ? known << "none" : known << api.flexible_min;
    known << " |\n";
  }
  EXPECT_EQ(listed, known.str());
}

}  // namespace
}  // namespace talosmq::kafka
