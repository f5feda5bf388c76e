#pragma once

#include "cli/read_plan.h"

#include <string>
#include <string_view>
#include <vector>

namespace talosmq::cli {

/// Why a range gave no record: what to tell somebody who expected some. `where` names what was
/// read, `text` is the range as it was typed. Pure.
std::string WhyNothingWasRead(std::string_view where, std::string_view text,
                              const OffsetRange& range, const std::vector<LogExtent>& logs);

}  // namespace talosmq::cli
