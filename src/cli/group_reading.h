#pragma once

#include "cli/exit_status.h"
#include "cli/record_format.h"
#include "cli/session.h"
#include "talosmq/consumer.h"

#include <cstdint>
#include <optional>
#include <string>

namespace talosmq::cli {

/// What `consume -g` is asked for.
struct GroupReadingOptions {
  std::string group;
  std::string topic;
  Position start = AtStart{};  ///< Of partitions of which nothing is committed.
  std::optional<int64_t> count;
  bool stops_at_end = false;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  RecordFormat format = RecordFormat::ValueLines();
};

/// Reads a topic as a member of a group and prints its records. What was printed is committed, and
/// the group is left, however it ends but by the second signal.
ExitStatus ReadAsGroup(const GroupReadingOptions& options, Session& session);

}  // namespace talosmq::cli
