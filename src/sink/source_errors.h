#pragma once

#include "talosmq/error.h"

namespace talosmq::sink {

/// True when reading again later may help: who leads or what is known of it has changed, or the
/// moment is wrong. False when the job must stop and say why.
bool IsTransientSourceError(Reason reason);

}  // namespace talosmq::sink
