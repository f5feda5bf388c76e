#include "support/child_process.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace talosmq::support {
namespace {

constexpr int kCannotRun = 127;
constexpr int kEndedBySignal = 128;

/// Between fork and exec: nothing that may take a lock.
[[noreturn]] void Become(char* const* arguments, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv(arguments[0], arguments);
  _exit(kCannotRun);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const Options& options) {
  std::vector<char*> arguments;
  for (const std::string& word : options.command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const int output =
      open(options.output_file.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
  // The child alone holds the write end, so the read end ends with the child.
  int end[2];
  if (output < 0 || pipe(end) != 0) {
    return MakeError(Reason::kInternal, base::StrCat("no output file ", options.output_file));
  }
  fcntl(end[0], F_SETFD, FD_CLOEXEC);
  const pid_t pid = fork();
  if (pid == 0) Become(arguments.data(), output);
  close(end[1]);
  close(output);
  if (pid < 0) {
    close(end[0]);
    return MakeError(Reason::kInternal, base::StrCat("cannot start ", options.command[0]));
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, end[0], options.output_file));
}

ChildProcess::~ChildProcess() {
  if (!is_reaped_) {
    Signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(end_fd_);
}

void ChildProcess::Signal(int signal) const {
  if (!is_reaped_) kill(pid_, signal);
}

absl::StatusOr<int> ChildProcess::Wait(absl::Duration timeout) {
  pollfd end{.fd = end_fd_, .events = POLLIN, .revents = 0};
  if (poll(&end, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0) {
    return MakeError(Reason::kDeadlineExceeded,
                     base::StrCat("process ", pid_, " has not ended in ",
                                  absl::FormatDuration(timeout), "; it printed: ", Output()));
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  is_reaped_ = true;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kEndedBySignal + WTERMSIG(status);
}

std::string ChildProcess::Output() const {
  const std::ifstream file(output_file_);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace talosmq::support
