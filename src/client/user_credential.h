#pragma once

#include "base/scram.h"
#include "talosmq/v1/user.pb.h"

#include "absl/status/status.h"

#include <string_view>

namespace talosmq::client {

/// kInvalidArgument unless it has 8 to 128 printable ASCII characters, which SASLprep (RFC 4013)
/// leaves as they are. Nothing of the password is told.
absl::Status CheckPassword(std::string_view password);

/// What a server may know of `password`, with a new salt. Takes some 20 ms.
void WriteCredential(base::ScramHash hash, std::string_view password, v1::ScramCredential& to);

}  // namespace talosmq::client
