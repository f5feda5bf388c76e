#pragma once

#include <string_view>

namespace talosmq::base {

/// Only this machine is reached by it: localhost, 127.0.0.0/8 or ::1, without a port or brackets.
bool IsLoopbackHost(std::string_view host);

}  // namespace talosmq::base
