#include "client/connect.h"

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/status.h"
#include "base/text.h"
#include "client/client_core.h"
#include "client/option_checks.h"
#include "client/pending_result.h"
#include "talosmq/error.h"
#include "talosmq/v1/cluster.pb.h"

#include <utility>

namespace talosmq {

Client::Client(std::unique_ptr<client::ClientCore> core) : core_(std::move(core)) {}
Client::~Client() = default;

namespace client {
namespace {

/// What a core borrows; a base class, so that it is there before the core and after it.
struct ProcessParts {
  base::SystemClock clock;
  base::SystemRandom random;
  base::ThreadExecutor executor{{.name = "sdk-core"}};
};

/// A core with the process's clock and a thread of its own. Destroying it first shuts the transport
/// down, then lets the executor run what is posted, which may still use it, then frees the core.
class ThreadedCore final : private ProcessParts, public ClientCore {
 public:
  ThreadedCore(ClientOptions options, std::unique_ptr<Transport> transport)
      : ClientCore(std::move(options), std::move(transport),
                   {.executor = ProcessParts::executor,
                    .clock = ProcessParts::clock,
                    .random = ProcessParts::random}) {}

  ~ThreadedCore() override {
    transport().ShutDown();
    ProcessParts::executor.Stop();
  }
};

absl::Status ShakeHands(ClientCore& core) {
  v1::GetServerInfoRequest request;
  request.set_client_name("talosmq-cpp");
  request.set_client_version(TALOSMQ_VERSION);
  PendingResult<absl::StatusOr<v1::GetServerInfoResponse>> answered;
  core.CallTyped<v1::GetServerInfoResponse>("/talosmq.v1.ClusterService/GetServerInfo", request,
                                            CallPolicy::kAnyServer, answered.callback());
  TALOSMQ_ASSIGN_OR_RETURN(const v1::GetServerInfoResponse info, answered.Wait());
  if (info.protocol_version_min() <= kProtocolVersion &&
      kProtocolVersion <= info.protocol_version_max()) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kUnsupportedVersion,
                   base::StrCat("server ", info.version(), " speaks protocol versions ",
                                info.protocol_version_min(), " to ", info.protocol_version_max(),
                                ", this client (", TALOSMQ_VERSION, ") speaks ", kProtocolVersion));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> ConnectWithTransport(std::unique_ptr<Transport> transport,
                                                             ClientOptions options) {
  TALOSMQ_RETURN_IF_ERROR(CheckOptions(options));
  auto core = std::make_unique<ThreadedCore>(std::move(options), std::move(transport));
  TALOSMQ_RETURN_IF_ERROR(ShakeHands(*core));
  return std::make_unique<Client>(std::move(core));
}

}  // namespace client
}  // namespace talosmq
