#include "server/supervisor.h"

#include "support/temporary_directory.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace talosmq::server {
namespace {

/// The end that systemd has; `address` as NOTIFY_SOCKET would tell it.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& address)
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un at = {};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, address.data(), address.size());
    if (address[0] == '@') at.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&at), size), 0) << std::strerror(errno);
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket() { close(fd_); }

  /// The next message that has arrived, or "(nothing)".
  std::string Next() const {
    std::array<char, 4096> message;
    const ssize_t size = recv(fd_, message.data(), message.size(), 0);
    return size < 0 ? "(nothing)" : std::string(message.data(), static_cast<size_t>(size));
  }

 private:
  const int fd_;
};

TEST(SupervisorTest, WithoutNotifySocketNobodyIsTold) {
  unsetenv("NOTIFY_SOCKET");
  testing::internal::CaptureStderr();
  Supervisor::FromEnvironment().TellReady("ready");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(SupervisorTest, ASocketThatIsNotThereIsLoggedAndNothingElse) {
  testing::internal::CaptureStderr();
  Supervisor("/nonexistent/notify").TellReady("ready");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("the supervisor is not told: /nonexistent/notify: sendto"));
}

TEST(SupervisorTest, AnAddressThatIsNoneIsRefusedByName) {
  for (const std::string& address : {std::string("vsock:2:1"), "/" + std::string(200, 'a')}) {
    testing::internal::CaptureStderr();
    Supervisor(address).TellReady("ready");
    EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("NOTIFY_SOCKET"));
  }
}

TEST(SupervisorTest, WordsCannotBecomeAnotherField) {
  const support::TemporaryDirectory directory;
  const NotifySocket socket(directory.path() + "/notify");
  Supervisor(directory.path() + "/notify").TellFailed("no\nREADY=1");
  EXPECT_EQ(socket.Next(), "STATUS=no\\x0aREADY=1\n");
}

TEST(SupervisorTest, ASocketWithAPathHearsEachState) {
  const support::TemporaryDirectory directory;
  const NotifySocket socket(directory.path() + "/notify");
  setenv("NOTIFY_SOCKET", (directory.path() + "/notify").c_str(), 1);
  const Supervisor supervisor = Supervisor::FromEnvironment();
  unsetenv("NOTIFY_SOCKET");
  supervisor.TellReady("ready: grpc 127.0.0.1:9191");
  supervisor.TellStopping("stopping on SIGTERM");
  EXPECT_EQ(socket.Next(), "READY=1\nSTATUS=ready: grpc 127.0.0.1:9191\n");
  EXPECT_EQ(socket.Next(), "STOPPING=1\nSTATUS=stopping on SIGTERM\n");
  EXPECT_EQ(socket.Next(), "(nothing)");
}

TEST(SupervisorTest, AnAbstractSocketHearsToo) {
  const std::string address = "@talosmq-supervisor-test-" + std::to_string(getpid());
  const NotifySocket socket(address);
  Supervisor(address).TellReady("ready");
  EXPECT_EQ(socket.Next(), "READY=1\nSTATUS=ready\n");
}

TEST(StdoutIsJournalTest, HoldsOnlyForTheStreamThatTheVariableNames) {
  struct stat out;
  ASSERT_EQ(fstat(STDOUT_FILENO, &out), 0);
  unsetenv("JOURNAL_STREAM");
  EXPECT_FALSE(StdoutIsJournal());
  setenv("JOURNAL_STREAM", "1:1", 1);
  EXPECT_FALSE(StdoutIsJournal());
  setenv("JOURNAL_STREAM", (std::to_string(out.st_dev) + ":" + std::to_string(out.st_ino)).c_str(),
         1);
  EXPECT_TRUE(StdoutIsJournal());
  unsetenv("JOURNAL_STREAM");
}

}  // namespace
}  // namespace talosmq::server
