#pragma once

#include "client/produce_session.h"

#include "absl/container/flat_hash_map.h"

#include <memory>
#include <string>

namespace talosmq::client {

class ClientCore;

/// The produce streams of one client, one for each broker that leads something.
/// Confined to the client's executor. Lives inside its ClientCore.
class ProduceSessions {
 public:
  explicit ProduceSessions(ClientCore& core) : core_(core) {}
  ProduceSessions(const ProduceSessions&) = delete;
  ProduceSessions& operator=(const ProduceSessions&) = delete;
  /// Abandons the sessions: the executor runs no more by now.
  ~ProduceSessions();

  /// Hands the batch to the stream of `address`, opening it when there is none. `item.done` runs
  /// exactly once, later, on the executor.
  void Send(const std::string& address, ProduceItem item);

 private:
  ClientCore& core_;
  absl::flat_hash_map<std::string, std::shared_ptr<ProduceSession>> sessions_;
};

}  // namespace talosmq::client
