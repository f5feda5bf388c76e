#pragma once

#include "base/clock.h"
#include "broker/topics.h"
#include "broker/users.h"
#include "rpc/listener_budget.h"
#include "talosmq/v1/user.grpc.pb.h"

#include <grpcpp/grpcpp.h>

namespace talosmq::rpc {

using RawUserService = v1::UserService::WithRawCallbackMethod_CreateUser<
    v1::UserService::WithRawCallbackMethod_ListUsers<
        v1::UserService::WithRawCallbackMethod_DeleteUser<v1::UserService::Service>>>;

/// talosmq.v1.UserService over the broker's. Thread-safe; outlives the gRPC server.
class UserHandlers final : public RawUserService {
 public:
  UserHandlers(broker::UserService& users, broker::TopicService& topics, ListenerBudget& calls,
               const base::Clock& clock)
      : users_(users), topics_(topics), calls_(calls), clock_(clock) {}

  grpc::ServerUnaryReactor* CreateUser(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListUsers(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteUser(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;

 private:
  broker::UserService& users_;
  broker::TopicService& topics_;  ///< Its image has the users.
  ListenerBudget& calls_;
  const base::Clock& clock_;
};

}  // namespace talosmq::rpc
