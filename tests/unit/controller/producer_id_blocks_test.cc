#include "controller/producer_id_blocks.h"

#include "talosmq/error.h"

#include "unit/controller/topic_world.h"
#include <gmock/gmock.h>

#include <set>

namespace talosmq::controller {
namespace {

class ProducerIdBlocksTest : public ::testing::Test {
 protected:
  absl::StatusOr<ProducerIdBlock> Take() {
    return world_
        .Ask<absl::StatusOr<ProducerIdBlock>>([&](auto done) { blocks_.Take(std::move(done)); })
        .value();
  }

  TopicWorld world_{1};
  ProducerIdBlocks blocks_{world_.faults(), world_.executor()};
};

TEST_F(ProducerIdBlocksTest, DamagedCounterIsToldAndNothingIsGiven) {
  world_.Put(std::string(metadata::kProducerIdsKey), "damage");
  EXPECT_FALSE(Take().ok());
}

TEST_F(ProducerIdBlocksTest, BlockOfALostReplyIsNeverGivenAgain) {
  ASSERT_EQ(Take()->first, ProducerId(0));
  world_.faults().FailCommit(1, support::CommitFault::kLostReply);
  EXPECT_EQ(ReasonOf(Take().status()), Reason::kMetadataUnavailable);
  EXPECT_EQ(Take()->first, ProducerId(2000));
}

TEST_F(ProducerIdBlocksTest, BlocksTakenAtOnceDoNotMeet) {
  std::set<ProducerId> firsts;
  for (int i = 0; i < 10; ++i) {
    blocks_.Take([&](const absl::StatusOr<ProducerIdBlock>& block) {
      EXPECT_TRUE(firsts.insert(block->first).second);
    });
  }
  world_.Run();
  ASSERT_EQ(firsts.size(), 10u);
  EXPECT_EQ(firsts.rbegin()->value() - firsts.begin()->value(), 9 * kProducerIdBlockSize);
}

}  // namespace
}  // namespace talosmq::controller
