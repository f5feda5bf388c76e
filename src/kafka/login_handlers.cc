#include "kafka/error_code.h"
#include "kafka/handlers.h"
#include "kafka/login.h"

#include <utility>

namespace talosmq::kafka {
namespace {

/// One for all, so that nobody learns which part of it is wrong.
constexpr std::string_view kRefused = "the user does not exist, or the password is wrong";
constexpr std::string_view kIllegal = "no login is under way";

}  // namespace

void Handle(const Services& /*services*/,
            ExchangePtr<SaslHandshakeRequest, SaslHandshakeResponse> exchange) {
  SaslHandshakeResponse& response = exchange->response;
  response.error_code = Wire(ErrorCode::kIllegalSaslState);
  Login* const login = exchange->caller().login.get();
  if (login == nullptr) return;  // This port asks for none.
  for (const std::string_view mechanism : login->mechanisms()) {
    response.mechanisms.emplace_back(mechanism);
  }
  switch (login->Choose(exchange->request.mechanism, exchange->version())) {
    case LoginStep::Kind::kNext:
      response.error_code = Wire(ErrorCode::kNone);
      return;
    case LoginStep::Kind::kRefused:
      response.error_code = Wire(ErrorCode::kUnsupportedSaslMechanism);
      return;
    case LoginStep::Kind::kIllegal:
    case LoginStep::Kind::kBusy:
      return;
  }
}

void Handle(const Services& /*services*/,
            ExchangePtr<SaslAuthenticateRequest, SaslAuthenticateResponse> exchange) {
  exchange->response.error_code = Wire(ErrorCode::kIllegalSaslState);
  exchange->response.error_message = std::string(kIllegal);
  Login* const login = exchange->caller().login.get();
  if (login == nullptr) return;
  const std::string_view token = exchange->request.auth_bytes;
  const auto cancellation = exchange->caller().cancellation;
  login->Take(token, cancellation, [exchange = std::move(exchange)](LoginStep step) {
    SaslAuthenticateResponse& response = exchange->response;
    switch (step.kind) {
      case LoginStep::Kind::kNext:
        response.error_code = Wire(ErrorCode::kNone);
        response.error_message.reset();
        response.auth_bytes = std::move(step.token);
        return;
      case LoginStep::Kind::kRefused:
        response.error_code = Wire(ErrorCode::kSaslAuthenticationFailed);
        response.error_message = std::string(kRefused);
        return;
      case LoginStep::Kind::kBusy:
        exchange->EndConnection("too many clients log in at a time");
        return;
      case LoginStep::Kind::kIllegal:
        return;
    }
  });
}

}  // namespace talosmq::kafka
