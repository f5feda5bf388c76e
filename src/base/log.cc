#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace talosmq::base {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// The numbers of syslog(3), as journald reads them from the beginning of a line.
int JournalLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return 7;
    case LogLevel::kInfo:
      return 6;
    case LogLevel::kWarning:
      return 4;
    case LogLevel::kError:
      return 3;
  }
  return 3;
}

struct State {
  std::shared_ptr<spdlog::logger> logger = spdlog::stderr_color_mt("talosmq");
  LogForm form = LogForm::kText;
};

State& GlobalState() {
  static State* const state =
      new State();  // Never destroyed: threads may log while the process ends.
  return *state;
}

/// RFC 8259 section 7: quotes, backslashes and control characters are escaped.
std::string JsonEscaped(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      escaped.push_back('\\');
      escaped.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      escaped.append("\\u00");
      escaped.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      escaped.push_back(kHex[static_cast<unsigned char>(c) & 0x0f]);
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

}  // namespace

void ConfigureLog(LogLevel level_min, LogForm form) {
  State& state = GlobalState();
  state.logger = std::make_shared<spdlog::logger>(
      "talosmq", std::make_shared<spdlog::sinks::stdout_color_sink_mt>());
  state.form = form;
  state.logger->set_level(ToSpdlog(level_min));
  state.logger->flush_on(spdlog::level::warn);
  switch (form) {
    case LogForm::kText:
      state.logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
      return;
    case LogForm::kJson:
      state.logger->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})",
                                spdlog::pattern_time_type::utc);
      return;
    case LogForm::kJournal:
      state.logger->set_pattern("%v");
      return;
  }
}

bool LogEnabled(LogLevel level) { return GlobalState().logger->should_log(ToSpdlog(level)); }

void Log(LogLevel level, std::string_view area, std::string_view message) {
  const State& state = GlobalState();
  switch (state.form) {
    case LogForm::kText:
      state.logger->log(ToSpdlog(level), "{}: {}", area, message);
      return;
    case LogForm::kJson:
      state.logger->log(ToSpdlog(level), R"("area":"{}","message":"{}")", JsonEscaped(area),
                        JsonEscaped(message));
      return;
    case LogForm::kJournal:
      state.logger->log(ToSpdlog(level), "<{}>{}: {}", JournalLevel(level), area, message);
      return;
  }
}

}  // namespace talosmq::base
