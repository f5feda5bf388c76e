#pragma once

namespace talosmq::cli {

/// What the program ends with; scripts depend on the numbers.
enum class ExitStatus { kDone = 0, kFailed = 1, kWrongUsage = 2 };

}  // namespace talosmq::cli
