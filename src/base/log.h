#pragma once

#include "base/text.h"

#include <string_view>

namespace talosmq::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
/// kJournal: for journald, which notes the time itself: "<6>area: words", the number being the
/// level that syslog(3) has for it.
enum class LogForm { kText, kJson, kJournal };

/// Sets level and form of the process's one logger and sends it to stdout, where it is all that a
/// server prints. Without this call, as in an application that uses the SDK, it goes to stderr.
/// Before any thread starts.
void ConfigureLog(LogLevel level_min, LogForm form);
bool LogEnabled(LogLevel level);
/// `area` is a word for where it comes from ("storage"). Thread-safe; never fails.
void Log(LogLevel level, std::string_view area, std::string_view message);

/// LogInfo("storage", "recovered ", log, " in ", duration): pieces as StrCat takes them.
template <typename... Pieces>
void LogDebug(std::string_view area, const Pieces&... pieces) {
  if (LogEnabled(LogLevel::kDebug)) Log(LogLevel::kDebug, area, StrCat(pieces...));
}
template <typename... Pieces>
void LogInfo(std::string_view area, const Pieces&... pieces) {
  if (LogEnabled(LogLevel::kInfo)) Log(LogLevel::kInfo, area, StrCat(pieces...));
}
template <typename... Pieces>
void LogWarning(std::string_view area, const Pieces&... pieces) {
  if (LogEnabled(LogLevel::kWarning)) Log(LogLevel::kWarning, area, StrCat(pieces...));
}
template <typename... Pieces>
void LogError(std::string_view area, const Pieces&... pieces) {
  Log(LogLevel::kError, area, StrCat(pieces...));
}

}  // namespace talosmq::base
