#pragma once

#include "talosmq/error.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <utility>

namespace talosmq::base {

/// Puts "context: " before the message; code, reason and payloads stay. OK stays OK.
absl::Status Annotate(const absl::Status& status, std::string_view context);

}  // namespace talosmq::base

#define TALOSMQ_CONCAT_INNER(a, b) a##b
#define TALOSMQ_CONCAT(a, b) TALOSMQ_CONCAT_INNER(a, b)

/// Returns from the calling function when `expression`, a Status, is not OK.
#define TALOSMQ_RETURN_IF_ERROR(expression)          \
  do {                                               \
    absl::Status talosmq_status = (expression);      \
    if (!talosmq_status.ok()) return talosmq_status; \
  } while (false)

/// TALOSMQ_ASSIGN_OR_RETURN(auto file, filesystem.Open(path));
#define TALOSMQ_ASSIGN_OR_RETURN(lhs, expression) \
  TALOSMQ_ASSIGN_OR_RETURN_IMPL(TALOSMQ_CONCAT(talosmq_statusor_, __LINE__), lhs, expression)
#define TALOSMQ_ASSIGN_OR_RETURN_IMPL(statusor, lhs, expression) \
  auto statusor = (expression);                                  \
  if (!statusor.ok()) return std::move(statusor).status();       \
  lhs = std::move(statusor).value()
