#include "rpc/grpc_library.h"

#include "base/log.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>

namespace talosmq::rpc {
namespace {

/// gRPC calls an error what one connection did wrong; to the server none of it is.
base::LogLevel LevelOf(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_DEBUG:
    case GPR_LOG_SEVERITY_INFO:
      return base::LogLevel::kDebug;
    case GPR_LOG_SEVERITY_ERROR:
      return base::LogLevel::kWarning;
  }
  return base::LogLevel::kWarning;
}

void ToOurLog(gpr_log_func_args* line) {
  base::Log(LevelOf(line->severity), "grpc", line->message);
}

}  // namespace

void PrepareGrpcLibrary() {
  [[maybe_unused]] static const bool is_ready = [] {
    gpr_set_log_function(ToOurLog);
    grpc_init();
    return true;
  }();
}

}  // namespace talosmq::rpc
