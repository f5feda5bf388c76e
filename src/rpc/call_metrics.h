#pragma once

#include "base/clock.h"
#include "base/metrics.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>

namespace talosmq::rpc {

/// Counts and times the unary calls of every service, gRPC's own included, by method and result.
/// Streams are left alone: their work is counted by partition, and watching each message costs.
/// Thread-safe. Borrows both, which outlive the server.
class CallMetrics final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  CallMetrics(base::MetricRegistry& registry, const base::Clock& clock)
      : registry_(registry), clock_(clock) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  base::MetricRegistry& registry_;
  const base::Clock& clock_;
};

}  // namespace talosmq::rpc
