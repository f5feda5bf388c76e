#pragma once

#include "talosmq/error.h"
#include "talosmq/v1/error.pb.h"

#include "absl/status/status.h"

namespace talosmq::client {

/// The status that a server's error message stands for. A reason that this SDK does not know
/// becomes kInternal and keeps its words.
absl::Status StatusOf(const v1::Error& error);
CorruptRange RangeOf(const v1::CorruptRange& range);

}  // namespace talosmq::client
