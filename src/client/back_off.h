#pragma once

#include "base/random.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace talosmq::client {

/// How long to wait before the next attempt when `failures` attempts before the last one had failed
/// too, and the last one ended with `why`: 10 ms, doubled with each failure up to 1 s, of which a
/// random part from the upper half is taken, so that clients do not retry in step; at least what an
/// overloaded server asks for (RetryAfterOf), of which 10 s are believed. Every retry of the SDK
/// waits so; whether to retry at all is for the caller to know.
absl::Duration BackOff(int failures, const absl::Status& why, base::Random& random);

/// In [pause / 2, pause).
absl::Duration Jitter(absl::Duration pause, base::Random& random);

}  // namespace talosmq::client
