#pragma once

#include "base/scram.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::kafka {

/// The server's side of one SCRAM login (RFC 5802 section 5 without channel binding): takes the
/// client's two messages, gives the server's two. What is wrong with a message is not told, neither
/// here nor to the client. Thread-compatible.
class ScramExchange {
 public:
  /// `server_nonce` is printable and has no comma, and nobody could guess it.
  ScramExchange(base::ScramHash hash, std::string server_nonce)
      : hash_(hash), server_nonce_(std::move(server_nonce)) {}

  /// Takes the client's first message; the user that it names. Nothing: it is no such message, asks
  /// to act for another user, or for what this server does not have.
  std::optional<std::string> TakeFirst(std::string_view message);
  /// The server's first message, with what is kept of that user.
  std::string Challenge(base::ScramCredential credential);
  /// Takes the client's final message; the server's final one, if the client knows the password and
  /// both have seen the same messages.
  std::optional<std::string> TakeFinal(std::string_view message) const;

 private:
  const base::ScramHash hash_;
  const std::string server_nonce_;
  std::string gs2_header_;  ///< As it came.
  std::string first_bare_;  ///< The client's first message behind it.
  std::string client_nonce_;
  std::string nonce_;  ///< The client's, then the server's.
  std::string challenge_;
  base::ScramCredential credential_;
};

}  // namespace talosmq::kafka
