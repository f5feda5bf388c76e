#pragma once

#include "cli/document.h"
#include "cli/exit_status.h"
#include "cli/session.h"
#include "inspect/report.h"

#include "absl/status/statusor.h"

namespace talosmq::cli {

/// logs, segments, epochs, findings, and batches when there are any: flat lists that name topic_id
/// and partition in each row.
Document DescribeReport(const inspect::Report& report);

/// Prints a report and says on standard error what it could not judge; kFailed when something is
/// damaged.
ExitStatus FinishReport(const absl::StatusOr<inspect::Report>& report, Session& session);

}  // namespace talosmq::cli
