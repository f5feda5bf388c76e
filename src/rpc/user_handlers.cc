#include "rpc/user_handlers.h"

#include "rpc/unary_call.h"

namespace talosmq::rpc {
namespace {

base::ScramCredential CredentialOf(const v1::ScramCredential& message) {
  return {.salt = message.salt(),
          .iterations = message.iterations(),
          .stored_key = message.stored_key(),
          .server_key = message.server_key()};
}

}  // namespace

grpc::ServerUnaryReactor* UserHandlers::CreateUser(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return ServeUnary<v1::CreateUserRequest, v1::CreateUserResponse>(
      context, request, response, calls_, [this](auto call) {
        users_.Create({.name = call->request.name(),
                       .scram_sha_256 = CredentialOf(call->request.scram_sha_256()),
                       .scram_sha_512 = CredentialOf(call->request.scram_sha_512())},
                      call->DeadlineBy(clock_),
                      [call](const absl::Status& status) { call->Finish(status); });
      });
}

grpc::ServerUnaryReactor* UserHandlers::ListUsers(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListUsersRequest, v1::ListUsersResponse>(
      context, request, response, calls_, [this](auto call) {
        const auto image = topics_.image();
        for (const auto& [name, user] : image->users) {
          v1::UserDescription& told = *call->response.add_users();
          told.set_name(name);
          told.set_created_ms(absl::ToUnixMillis(user->created));
        }
        call->FinishRead(absl::OkStatus());
      });
}

grpc::ServerUnaryReactor* UserHandlers::DeleteUser(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return ServeUnary<v1::DeleteUserRequest, v1::DeleteUserResponse>(
      context, request, response, calls_, [this](auto call) {
        users_.Delete(call->request.name(), call->DeadlineBy(clock_),
                      [call](const absl::Status& status) { call->Finish(status); });
      });
}

}  // namespace talosmq::rpc
