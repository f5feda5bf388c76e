#pragma once

#include <sstream>

namespace talosmq::base {

/// Collects the message of a failed check and aborts the process when it goes.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  [[noreturn]] ~CheckFailure();
  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
};

}  // namespace talosmq::base

/// Aborts, in release builds too, when a condition that only a mistake in our own code can break
/// does not hold. Outside input never reaches a check. One condition each:
///   TALOSMQ_CHECK(begin <= end) << "begin=" << begin;
#define TALOSMQ_CHECK(condition) \
  while (!(condition)) ::talosmq::base::CheckFailure(__FILE__, __LINE__, #condition).stream()
