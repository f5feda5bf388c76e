#include "rpc/call_metrics.h"

#include "base/text.h"
#include "rpc/error_status.h"
#include "talosmq/error.h"
#include "talosmq/v1/error.pb.h"

#include <map>
#include <string>
#include <vector>

namespace talosmq::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

const std::vector<double> kSecondsBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                         0.1,    0.25,  0.5,    1,     2.5,  5,     10};

/// The reason that the error in the trailer tells, in the words of the broker's own metrics.
std::string ResultOf(const grpc::Status& status,
                     const std::multimap<std::string, std::string>* trailers) {
  if (status.ok()) return "OK";
  // Not an error of ours: gRPC itself ended the call.
  std::string result = "Transport";
  if (trailers == nullptr) return result;
  const auto trailer = trailers->find(std::string(kErrorTrailer));
  v1::Error error;
  if (trailer != trailers->end() && error.ParseFromString(trailer->second)) {
    result = ReasonName(static_cast<Reason>(error.reason()));
  }
  return result;
}

/// One call. Owned by gRPC, which calls it one hook at a time.
class CallWatch final : public grpc::experimental::Interceptor {
 public:
  CallWatch(std::string method, base::MetricRegistry& registry, const base::Clock& clock)
      : method_(std::move(method)), registry_(registry), clock_(clock), begin_(clock.Monotonic()) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      Record(ResultOf(methods->GetSendStatus(), methods->GetSendTrailingMetadata()));
    }
    methods->Proceed();
  }

 private:
  void Record(const std::string& result) {
    registry_
        .AddCounter("talosmq_rpc_calls_total", "Unary calls, by method and result.",
                    {{"method", method_}, {"result", result}})
        .Add(1);
    registry_
        .AddHistogram("talosmq_rpc_call_seconds", "From the arrival of a unary call to its answer.",
                      {{"method", method_}}, kSecondsBounds)
        .Observe(absl::ToDoubleSeconds(clock_.Monotonic() - begin_));
  }

  const std::string method_;
  base::MetricRegistry& registry_;
  const base::Clock& clock_;
  const absl::Duration begin_;
};

/// "/talosmq.v1.TopicService/CreateTopic" as "TopicService/CreateTopic".
std::string ShortName(std::string_view method) {
  const size_t slash = method.rfind('/');
  const size_t dot = method.rfind('.', slash);
  return std::string(method.substr(dot == std::string_view::npos ? 1 : dot + 1));
}

}  // namespace

grpc::experimental::Interceptor* CallMetrics::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  if (info->type() != grpc::experimental::ServerRpcInfo::Type::UNARY) return nullptr;
  return new CallWatch(ShortName(info->method()), registry_, clock_);
}

}  // namespace talosmq::rpc
