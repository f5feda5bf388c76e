#include "client/error_message.h"

#include "base/text.h"
#include "talosmq/error.h"

namespace talosmq::client {

absl::Status StatusOf(const v1::Error& error) {
  if (error.reason() == v1::REASON_NOT_LEADER) {
    return MakeNotLeader(error.message(), error.leader_address());
  }
  if (error.reason() == v1::REASON_OVERLOADED && error.retry_after_ms() > 0) {
    return MakeOverloaded(error.message(), absl::Milliseconds(error.retry_after_ms()));
  }
  if (error.reason() == v1::REASON_CORRUPT_DATA && error.has_corrupt_range()) {
    return MakeCorruptData(error.message(), RangeOf(error.corrupt_range()));
  }
  if (error.reason() == v1::REASON_NONE || !v1::Reason_IsValid(error.reason())) {
    return MakeError(Reason::kInternal,
                     base::StrCat("server error with the unknown reason ",
                                  static_cast<int>(error.reason()), ": ", error.message()));
  }
  return MakeError(static_cast<Reason>(error.reason()), error.message());
}

CorruptRange RangeOf(const v1::CorruptRange& range) {
  return {.first = Offset(range.first_offset()), .next = Offset(range.next_offset())};
}

}  // namespace talosmq::client
