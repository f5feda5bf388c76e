#pragma once

#include "talosmq/error.h"

#include <string_view>

namespace talosmq::cli {

/// What somebody at a terminal can do about an error of this kind; empty when its message says all
/// there is to say.
std::string_view AdviceFor(Reason reason);

}  // namespace talosmq::cli
