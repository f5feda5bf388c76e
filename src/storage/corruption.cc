#include "storage/corruption.h"

#include "base/text.h"
#include "talosmq/error.h"

namespace talosmq::storage {

absl::Status MakeCorruption(const Damage& damage) {
  return MakeError(Reason::kCorruptData,
                   base::StrCat(damage.file, ": damaged at position ", damage.position,
                                ": expected ", damage.expected, ", found ", damage.found));
}

}  // namespace talosmq::storage
