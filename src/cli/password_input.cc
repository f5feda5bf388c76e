#include "cli/password_input.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/line_reader.h"
#include "talosmq/error.h"

#include <termios.h>
#include <unistd.h>

#include <memory>
#include <optional>

namespace talosmq::cli {
namespace {

constexpr size_t kPasswordLineBytesMax = 4096;

/// A terminal that does not show what is typed, until this goes.
class HiddenInput {
 public:
  HiddenInput() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    is_changed_ = true;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;
  ~HiddenInput() {
    if (is_changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool is_changed_ = false;
};

absl::StatusOr<std::string> NextLine(LineReader& lines, const std::string& path) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto line, lines.Next());
  if (line) return std::string(*line);
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("expected the password as the first line of ",
                                path == "-" ? "standard input" : path, ", found nothing"));
}

absl::StatusOr<std::string> AskTwice(LineReader& lines, Session& session) {
  const HiddenInput hidden;
  session.Note("password:");
  TALOSMQ_ASSIGN_OR_RETURN(std::string first, NextLine(lines, "-"));
  session.Note("the same again:");
  TALOSMQ_ASSIGN_OR_RETURN(const std::string second, NextLine(lines, "-"));
  if (first == second) return first;
  return MakeError(Reason::kInvalidArgument, "the two passwords are not the same");
}

}  // namespace

absl::StatusOr<std::string> ReadPassword(const std::string& path, Session& session) {
  // The wait is cut short by itself, and the terminal must be put right before the end.
  session.FollowWhenInterrupted(std::nullopt);
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<io::InputStream> input,
                           io::InputStream::Open(path, session.interrupt().descriptor()));
  LineReader lines([&input](base::MutableByteSpan into) { return input->Read(into); },
                   kPasswordLineBytesMax);
  if (path == "-" && isatty(STDIN_FILENO) == 1) return AskTwice(lines, session);
  return NextLine(lines, path);
}

}  // namespace talosmq::cli
