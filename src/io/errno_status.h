#pragma once

#include "absl/status/status.h"

#include <string_view>

namespace talosmq::io {

/// The status of a failed system call: "PATH: CALL: ENOSPC (No space left on device)".
/// ENOENT is absl's kNotFound, EEXIST its kAlreadyExists, a full disk or quota is
/// Reason::kStorageFull, everything else (EIO too) is Reason::kInternal.
absl::Status ErrnoStatus(int error, std::string_view path, std::string_view call);

}  // namespace talosmq::io
