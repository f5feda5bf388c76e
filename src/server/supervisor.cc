#include "server/supervisor.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "io/errno_status.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace talosmq::server {
namespace {

constexpr size_t kWordsBytesMax = 500;

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

absl::Status SendDatagram(const std::string& address, const std::string& message) {
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  if (address.size() >= sizeof(to.sun_path) || (address[0] != '/' && address[0] != '@')) {
    return MakeError(
        Reason::kInvalidConfig,
        base::StrCat("NOTIFY_SOCKET: expected a path or @NAME of at most ", sizeof(to.sun_path) - 1,
                     " bytes, found \"", base::Printable(address, kWordsBytesMax), "\""));
  }
  std::memcpy(to.sun_path, address.data(), address.size());
  // An abstract name begins with a zero byte and ends with the address.
  if (address[0] == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return io::ErrnoStatus(errno, address, "socket");
  const ssize_t sent = sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&to), size);
  const int error = errno;
  close(fd);
  return sent < 0 ? io::ErrnoStatus(error, address, "sendto") : absl::OkStatus();
}

}  // namespace

Supervisor Supervisor::FromEnvironment() { return Supervisor(Variable("NOTIFY_SOCKET")); }

void Supervisor::TellReady(std::string_view words) const { Tell("READY=1\n", words); }
void Supervisor::TellStopping(std::string_view words) const { Tell("STOPPING=1\n", words); }
void Supervisor::TellFailed(std::string_view words) const { Tell("", words); }

void Supervisor::Tell(std::string_view state, std::string_view words) const {
  if (address_.empty()) return;
  // Printable: a line break in the words would begin another field.
  const absl::Status sent = SendDatagram(
      address_, base::StrCat(state, "STATUS=", base::Printable(words, kWordsBytesMax), "\n"));
  if (!sent.ok()) base::LogWarning("server", "the supervisor is not told: ", sent.message());
}

bool StdoutIsJournal() {
  struct stat found;
  if (fstat(STDOUT_FILENO, &found) != 0) return false;
  return Variable("JOURNAL_STREAM") == base::StrCat(found.st_dev, ":", found.st_ino);
}

}  // namespace talosmq::server
