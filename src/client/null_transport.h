#pragma once

#include "client/transport.h"

#include <memory>
#include <string>

namespace talosmq::client {

/// A transport without servers, for measuring the SDK alone: one topic of any name, whose
/// partitions take every batch at once and keep nothing, and from which nothing can be fetched.
/// There are no groups.
///
/// Offsets are those that one producer would see. Thread-safe; everything is answered within the
/// call.
class NullTransport final : public Transport {
 public:
  explicit NullTransport(int32_t partitions) : partitions_(partitions) {}

  void Call(CallRequest request, Reply done) override;
  std::unique_ptr<ProduceStream> OpenProduce(const std::string& address,
                                             std::shared_ptr<ProduceObserver> observer) override;
  /// Ends at once with kUnimplemented.
  std::unique_ptr<FetchStream> OpenFetch(const std::string& address,
                                         std::shared_ptr<FetchObserver> observer) override;
  /// Ends at once with kUnimplemented.
  std::unique_ptr<HeartbeatStream> OpenHeartbeats(
      const std::string& address, std::shared_ptr<HeartbeatObserver> observer) override;
  /// Nothing is ever under way: it goes on answering.
  void ShutDown() override {}

 private:
  const int32_t partitions_;
};

}  // namespace talosmq::client
