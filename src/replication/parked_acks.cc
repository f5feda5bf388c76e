#include "replication/parked_acks.h"

#include <algorithm>

namespace talosmq::replication {

void ParkedAcks::Park(Offset end, AckTag tag) {
  // Nearly always the highest end of all; only a duplicate's is lower.
  const auto place =
      std::upper_bound(parked_.begin(), parked_.end(), end,
                       [](Offset offset, const Parked& parked) { return offset < parked.end; });
  parked_.insert(place, Parked{.end = end, .tag = tag});
}

void ParkedAcks::ReleaseUpTo(Offset offset, std::vector<ReleasedAck>& released) {
  while (!parked_.empty() && parked_.front().end <= offset) {
    released.push_back({.tag = parked_.front().tag, .status = absl::OkStatus()});
    parked_.pop_front();
  }
}

void ParkedAcks::ReleaseAll(const absl::Status& status, std::vector<ReleasedAck>& released) {
  for (const Parked& parked : parked_) released.push_back({.tag = parked.tag, .status = status});
  parked_.clear();
}

}  // namespace talosmq::replication
