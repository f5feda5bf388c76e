#pragma once

#include "base/bytes.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "loadgen/ceiling_log.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/alarm.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/server.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::loadgen {

/// The server side of `ceiling`: one stream, one thread that receives, one that writes and flushes.
/// While a group is flushed the next one gathers.
///
/// Thread-safe towards its owner. Borrows the log, which outlives it. Stop() before it goes.
class CeilingServer {
 public:
  /// Listens on a port of 127.0.0.1 that the kernel chooses.
  static absl::StatusOr<std::unique_ptr<CeilingServer>> Start(CeilingLog& log);
  CeilingServer(const CeilingServer&) = delete;
  CeilingServer& operator=(const CeilingServer&) = delete;
  ~CeilingServer();

  const std::string& address() const { return address_; }
  /// Ends the stream and both threads; what went wrong first, if anything did.
  absl::Status Stop();

 private:
  explicit CeilingServer(CeilingLog& log);
  absl::Status Listen();

  // On the receiving thread.
  void Serve();
  void OnRead();
  void OnWritten();

  // On the flushing thread.
  void FlushGroups();

  void Acknowledge(uint32_t batches);
  void Fail(const absl::Status& status);

  CeilingLog& log_;
  std::string address_;
  bool is_stopped_ = false;  ///< Confined to the owner.

  grpc::AsyncGenericService service_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  grpc::Alarm stop_alarm_;     ///< Wakes the receiving thread for the last time.
  grpc::ByteBuffer incoming_;  ///< Confined to the receiving thread.

  base::Mutex mutex_;
  std::vector<base::Buffer> gathered_ ABSL_GUARDED_BY(mutex_);
  bool is_flushing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t unsent_acks_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);

  base::ThreadExecutor flusher_;
  base::ThreadExecutor receiver_;
};

}  // namespace talosmq::loadgen
