#include "client/produce_sessions.h"

#include "client/client_core.h"

#include <utility>

namespace talosmq::client {

ProduceSessions::~ProduceSessions() {
  for (auto& [address, session] : sessions_) session->Abandon();
}

void ProduceSessions::Send(const std::string& address, ProduceItem item) {
  std::shared_ptr<ProduceSession>& session = sessions_[address];
  if (session == nullptr || session->is_closed()) {
    session = ProduceSession::Open(address, core_.transport(), core_.executor(), core_.clock());
  }
  session->Send(std::move(item));
}

}  // namespace talosmq::client
