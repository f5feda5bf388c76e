#include "storage/fence.h"

#include "base/text.h"
#include "talosmq/error.h"

namespace talosmq::storage {

absl::Status MakeFenced(const TopicPartition& log, const absl::Status& cause) {
  const Reason reason =
      ReasonOf(cause) == Reason::kStorageFull ? Reason::kStorageFull : Reason::kStorageFenced;
  return MakeError(reason,
                   base::StrCat("log ", log.ToString(), " is fenced until it is opened again: ",
                                base::FromAbsl(cause.message())));
}

absl::Status MayBeStored(absl::Status status) {
  if (ReasonOf(status) != Reason::kStorageFull) return status;
  return MakeError(Reason::kInternal, base::FromAbsl(status.message()));
}

bool IsFenced(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  return reason == Reason::kStorageFenced || reason == Reason::kStorageFull;
}

}  // namespace talosmq::storage
