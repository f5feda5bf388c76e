#pragma once

#include "base/executor.h"
#include "controller/producer_id_blocks.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <cstddef>
#include <cstdint>
#include <deque>

namespace talosmq::broker {

/// Gives out producer ids one by one from blocks that no other broker has, in the order of the
/// calls. Confined to the executor of the blocks, where callbacks run too. Borrows the blocks.
/// Crash: what is left of a block is never used.
class ProducerIds {
 public:
  /// Callers that wait for a block; one more is refused with kOverloaded.
  static constexpr size_t kWaitersMax = 10'000;

  explicit ProducerIds(controller::ProducerIdBlocks& blocks) : blocks_(blocks) {}

  void Next(base::Callback<absl::StatusOr<ProducerId>> done);

 private:
  void Serve();
  void OnBlock(const absl::StatusOr<controller::ProducerIdBlock>& block);

  controller::ProducerIdBlocks& blocks_;
  int64_t next_ = 0;  ///< Invariant: next_ <= end_; equal when the block is used up.
  int64_t end_ = 0;
  bool is_taking_ = false;
  std::deque<base::Callback<absl::StatusOr<ProducerId>>> waiters_;
};

}  // namespace talosmq::broker
