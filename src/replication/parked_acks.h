#pragma once

#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace talosmq::replication {

/// Names one acknowledgement that waits; chosen by the driver, opaque here.
enum class AckTag : uint64_t {};

/// An acknowledgement that has to be given now: OK, or why the epoch under which it waited ended.
struct ReleasedAck {
  AckTag tag{};
  absl::Status status;
};

/// Acknowledgements that wait for an offset to be passed.
///
/// Invariant: sorted by end offset; among equal ends the one parked first is first.
/// Thread-compatible. Nothing of it survives a crash: a client that heard nothing asks again.
class ParkedAcks {
 public:
  /// `end`: one past the last offset of the batch that is waited for.
  void Park(Offset end, AckTag tag);
  /// Releases all whose end is not above `offset`.
  void ReleaseUpTo(Offset offset, std::vector<ReleasedAck>& released);
  /// Releases all with `status`.
  void ReleaseAll(const absl::Status& status, std::vector<ReleasedAck>& released);
  size_t size() const { return parked_.size(); }

 private:
  struct Parked {
    Offset end;
    AckTag tag;
  };
  std::deque<Parked> parked_;
};

}  // namespace talosmq::replication
