#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "base/tls_watch.h"
#include "broker/cluster.h"
#include "broker/dump_control.h"
#include "broker/groups.h"
#include "broker/messages.h"
#include "broker/topics.h"
#include "broker/users.h"

#include "absl/status/statusor.h"

#include <memory>
#include <string>

namespace talosmq::rpc {

struct GrpcFrontOptions {
  std::string listen = "127.0.0.1:9191";          ///< HOST:PORT; port 0 is the kernel's choice.
  std::shared_ptr<base::TlsWatch> tls = nullptr;  ///< Kept. Null: the port is plain.
  /// Of batches, long polls and answers with records that all clients together may make it hold;
  /// kOverloaded beyond it. 1 MiB or more.
  int64_t record_bytes_max = int64_t{256} << 20;
};

/// The gRPC port: talosmq.v1's services, gRPC's health service and reflection. No header of gRPC
/// reaches who includes this one.
///
/// Thread-safe. Owns the port and gRPC's threads; borrows what is in Dependencies, which outlives
/// it and keeps answering until Stop() has returned.
class GrpcFront {
 public:
  struct Dependencies {
    broker::MessageService& messages;
    broker::TopicService& topics;
    broker::ClusterService& cluster;
    broker::DumpControl& dumps;
    broker::GroupService& groups;
    broker::UserService& users;
    base::Clock& clock;
    base::MetricRegistry& metrics;
  };

  /// kUnavailable when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<GrpcFront>> Start(GrpcFrontOptions options,
                                                          Dependencies dependencies);
  virtual ~GrpcFront() = default;

  /// The port that is really listened on.
  virtual int port() const = 0;

  /// Says NOT_SERVING, takes no more calls, asks the open ones to end with what they owe, and
  /// cancels what is left after kDrainTimeout. Blocks until no call is left. Once; before the
  /// destructor.
  virtual void Stop() = 0;
};

}  // namespace talosmq::rpc
