#pragma once

#include "cli/session.h"

#include "absl/status/statusor.h"

#include <string>

namespace talosmq::cli {

/// The first line of a file; "-" is standard input, and at a terminal it is asked for twice and not
/// shown. Never a word of the command line, which every process of the machine may read.
absl::StatusOr<std::string> ReadPassword(const std::string& path, Session& session);

}  // namespace talosmq::cli
