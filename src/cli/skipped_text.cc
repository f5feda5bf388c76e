#include "cli/skipped_text.h"

#include "base/text.h"

namespace talosmq::cli {

std::string DescribeSkipped(const SkippedOffsets& skipped) {
  return base::StrCat("partition ", skipped.partition.value(), ": ", skipped.next - skipped.first,
                      " offsets were skipped, ", skipped.first.value(), " to ",
                      skipped.next.value() - 1, ": ", base::FromAbsl(skipped.why.message()));
}

}  // namespace talosmq::cli
