#include "broker/producer_ids.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <utility>

namespace talosmq::broker {

void ProducerIds::Next(base::Callback<absl::StatusOr<ProducerId>> done) {
  if (waiters_.size() >= kWaitersMax) {
    return done(MakeError(Reason::kOverloaded, base::StrCat("producer ids: ", kWaitersMax,
                                                            " callers wait for a block already")));
  }
  waiters_.push_back(std::move(done));
  Serve();
}

void ProducerIds::Serve() {
  while (!waiters_.empty() && next_ < end_) {
    auto done = std::move(waiters_.front());
    waiters_.pop_front();
    done(ProducerId(next_++));
  }
  if (waiters_.empty() || is_taking_) return;
  is_taking_ = true;
  blocks_.Take(
      [this](const absl::StatusOr<controller::ProducerIdBlock>& block) { OnBlock(block); });
}

void ProducerIds::OnBlock(const absl::StatusOr<controller::ProducerIdBlock>& block) {
  is_taking_ = false;
  if (!block.ok()) {
    for (auto& done : std::exchange(waiters_, {})) done(block.status());
    return;
  }
  next_ = block->first.value();
  end_ = next_ + controller::kProducerIdBlockSize;
  Serve();
}

}  // namespace talosmq::broker
