#pragma once

#include "talosmq/ids.h"

#include "absl/status/status.h"

namespace talosmq::storage {

/// What users of a log are told once `cause` has fenced it. kStorageFull when the cause was: then
/// nothing of what is answered so was stored, and it may be sent again. Else kStorageFenced: it may
/// be found when the log is opened again.
absl::Status MakeFenced(const TopicPartition& log, const absl::Status& cause);

/// Whether a log answers so because it is fenced.
bool IsFenced(const absl::Status& status);

}  // namespace talosmq::storage
