#pragma once

#include "base/clock.h"
#include "broker/messages.h"
#include "rpc/call_registry.h"
#include "rpc/listener_budget.h"

namespace talosmq::rpc {

/// What a call of MessageService works with. The references outlive it.
struct CallEnvironment {
  CallRegistry& registry;
  ListenerBudget::Connection connection;  ///< That the call came on.
  broker::MessageService& messages;
  base::Clock& clock;
};

}  // namespace talosmq::rpc
