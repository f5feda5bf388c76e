#include "storage/corruption.h"

#include "base/text.h"
#include "talosmq/error.h"

namespace talosmq::storage {

absl::Status MakeCorruption(const Damage& damage) {
  return MakeError(Reason::kCorruptData,
                   base::StrCat(damage.file, ": damaged at position ", damage.position,
                                ": expected ", damage.expected, ", found ", damage.found));
}

absl::Status MakeCorruption(const Corruption& corruption) {
  return HideOffsets(MakeCorruption(corruption.damage), corruption.hidden);
}

absl::Status HideOffsets(const absl::Status& damage, const CorruptRange& hidden) {
  return MakeCorruptData(
      base::StrCat(base::FromAbsl(damage.message()), "; offsets ", hidden.first.value(), " to ",
                   hidden.next.value() - 1, " cannot be read, the next readable one is ",
                   hidden.next.value()),
      hidden);
}

}  // namespace talosmq::storage
