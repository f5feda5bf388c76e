#pragma once

#include "talosmq/ids.h"

#include "absl/status/status.h"

namespace talosmq::client {

/// What one attempt to store one batch came to.
struct ProduceOutcome {
  absl::Status status;
  Offset base_offset;  ///< Holds when status is OK and the acks asked for an answer; else -1.
  /// The attempt ended without an answer after the batch had left: it may be stored.
  bool is_unknown = false;
};

/// What a refused attempt means for its batch.
enum class RefusalKind {
  kFinal,     ///< Sending it again cannot help.
  kSequence,  ///< The broker expects another sequence or producer epoch.
  kRetry,     ///< Nothing has changed; may be sent again.
  kUnknown,   ///< May be stored or not; only an idempotent producer may send it again.
};
RefusalKind KindOf(const ProduceOutcome& outcome);

/// True when the reason says that leader or topic should be looked up before the next attempt.
bool AsksForNewMetadata(const absl::Status& status);

}  // namespace talosmq::client
