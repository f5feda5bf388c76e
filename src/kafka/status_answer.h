#pragma once

#include "base/text.h"
#include "kafka/error_code.h"
#include "talosmq/error.h"

#include "absl/status/status.h"

#include <string>
#include <string_view>

namespace talosmq::kafka {

/// Says to the client what `status` says, in an answer that has code and message.
template <typename Answer>
void Tell(Answer& answer, const absl::Status& status) {
  answer.error_code = WireErrorOf(status);
  answer.error_message.reset();
  if (!status.ok()) answer.error_message = std::string(base::FromAbsl(status.message()));
}

/// INVALID_REQUEST for something that Kafka has and we do not.
inline absl::Status NotHere(std::string_view what) {
  return MakeError(Reason::kInvalidArgument, base::StrCat(what, " is not supported"));
}

}  // namespace talosmq::kafka
