#include "controller/placement.h"

#include "talosmq/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace talosmq::controller {
namespace {

std::vector<BrokerId> Brokers(int32_t count) {
  std::vector<BrokerId> brokers;
  for (int32_t i = 0; i < count; ++i) brokers.emplace_back(10 + i);
  return brokers;
}

TEST(PlacementTest, FewerBrokersThanReplicasAreRefused) {
  for (const int32_t replicas : {0, 4}) {
    const auto placed =
        PlaceReplicas({.brokers = Brokers(3), .partitions = 1, .replicas = replicas});
    EXPECT_EQ(ReasonOf(placed.status()), Reason::kInvalidReplicas);
  }
  EXPECT_FALSE(PlaceReplicas({.brokers = {}, .partitions = 1, .replicas = 1}).ok());
}

TEST(PlacementTest, ReplicasOfAPartitionAreOnDifferentBrokers) {
  for (int32_t brokers = 1; brokers <= 6; ++brokers) {
    for (int32_t replicas = 1; replicas <= brokers; ++replicas) {
      const auto placed =
          PlaceReplicas({.brokers = Brokers(brokers), .partitions = 100, .replicas = replicas})
              .value();
      for (const std::vector<BrokerId>& partition : placed) {
        EXPECT_EQ(std::set<BrokerId>(partition.begin(), partition.end()).size(),
                  static_cast<size_t>(replicas));
      }
    }
  }
}

TEST(PlacementTest, LeadersAndFollowersAreSpreadEvenly) {
  const auto placed =
      PlaceReplicas({.brokers = Brokers(5), .partitions = 100, .replicas = 3, .start = 3}).value();
  std::map<BrokerId, int> led;
  std::map<BrokerId, int> held;
  for (const std::vector<BrokerId>& partition : placed) {
    ++led[partition.front()];
    for (const BrokerId broker : partition) ++held[broker];
  }
  for (const auto& [broker, count] : led) EXPECT_EQ(count, 20);
  for (const auto& [broker, count] : held) EXPECT_EQ(count, 60);
}

TEST(PlacementTest, GrowthGoesOnWhereCreationEnded) {
  const auto whole =
      PlaceReplicas({.brokers = Brokers(4), .partitions = 30, .replicas = 2, .start = 7}).value();
  const auto rest = PlaceReplicas({.brokers = Brokers(4),
                                   .first_partition = 12,
                                   .partitions = 18,
                                   .replicas = 2,
                                   .start = 7})
                        .value();
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.begin() + 12));
}

}  // namespace
}  // namespace talosmq::controller
