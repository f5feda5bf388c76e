#pragma once

#include "talosmq/ids.h"

#include "absl/status/status.h"

namespace talosmq::storage {

/// What users of a log are told once `cause` has fenced it. kStorageFull when the cause was: then
/// nothing of what is answered so was stored, and it may be sent again. Else kStorageFenced: it may
/// be found when the log is opened again.
absl::Status MakeFenced(const TopicPartition& log, const absl::Status& cause);

/// The same for a failure that leaves bytes in the files: also a full disk is then no reason to
/// send them again.
absl::Status MayBeStored(absl::Status status);
/// Whether a log answers so because it is fenced.
bool IsFenced(const absl::Status& status);

}  // namespace talosmq::storage
