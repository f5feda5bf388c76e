#include "support/server_process.h"

#include "base/status.h"
#include "base/text.h"

#include <nlohmann/json.hpp>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace talosmq::support {
namespace {

// Only a server that is broken takes so long.
constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr absl::Duration kStopTimeout = absl::Seconds(60);
constexpr char kListeners[] = "listeners.json";

/// A descriptor that tells what is renamed into `directory`; closed when it goes.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(const std::string& directory) : fd_(inotify_init1(IN_CLOEXEC)) {
    inotify_add_watch(fd_, directory.c_str(), IN_MOVED_TO);
  }
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;
  ~DirectoryWatch() { close(fd_); }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

/// Reads what the watch has to tell; true when kListeners is among it.
bool SawListeners(int watch) {
  alignas(inotify_event) std::array<char, 4096> buffer;
  const ssize_t size = read(watch, buffer.data(), buffer.size());
  for (ssize_t at = 0; at < size;) {
    inotify_event event;
    std::memcpy(&event, buffer.data() + at, sizeof(event));
    const char* const name = buffer.data() + at + sizeof(event);
    if (event.len > 0 && std::strcmp(name, kListeners) == 0) return true;
    at += static_cast<ssize_t>(sizeof(event) + event.len);
  }
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(const Options& options) {
  std::filesystem::create_directories(options.data_dir);
  const DirectoryWatch watch(options.data_dir);
  ChildProcess::Options child{
      .command = {options.program, "--data-dir", options.data_dir, "--set",
                  "grpc.listen=127.0.0.1:0", "--set", "http.listen=127.0.0.1:0", "--set",
                  "kafka.listen=127.0.0.1:0"},
      .output_file = options.data_dir + ".log"};
  child.command.insert(child.command.end(), options.arguments.begin(), options.arguments.end());
  TALOSMQ_ASSIGN_OR_RETURN(auto process, ChildProcess::Start(child));
  auto server = std::unique_ptr<ServerProcess>(new ServerProcess(std::move(process)));
  TALOSMQ_RETURN_IF_ERROR(server->WaitForListeners(watch.fd()));
  TALOSMQ_RETURN_IF_ERROR(server->ReadListeners(options.data_dir + "/" + kListeners));
  return server;
}

absl::Status ServerProcess::WaitForListeners(int directory_watch) {
  for (;;) {
    std::array<pollfd, 2> ready = {pollfd{directory_watch, POLLIN, 0},
                                   pollfd{process_->end_fd(), POLLIN, 0}};
    const auto timeout_ms = static_cast<int>(absl::ToInt64Milliseconds(kStartTimeout));
    if (poll(ready.data(), ready.size(), timeout_ms) <= 0) {
      return MakeError(Reason::kDeadlineExceeded,
                       base::StrCat("the server does not listen; it printed: ", Output()));
    }
    if (ready[0].revents != 0 && SawListeners(directory_watch)) return absl::OkStatus();
    if (ready[1].revents != 0) {
      TALOSMQ_ASSIGN_OR_RETURN(const int status, process_->Wait(kStopTimeout));
      return MakeError(Reason::kUnavailable, base::StrCat("the server ended with status ", status,
                                                          "; it printed: ", Output()));
    }
  }
}

absl::Status ServerProcess::ReadListeners(const std::string& path) {
  std::ifstream file(path);
  const auto object = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return MakeError(Reason::kCorruptData, path + " is no JSON object");
  grpc_address_ = object.value("grpc", "");
  http_address_ = object.value("http", "");
  const auto kafka = object.value("kafka", std::vector<std::string>());
  if (!kafka.empty()) kafka_address_ = kafka.front();
  return absl::OkStatus();
}

absl::StatusOr<int> ServerProcess::WaitForEnd() { return process_->Wait(kStopTimeout); }

absl::Status ServerProcess::Terminate() {
  Signal(SIGTERM);
  TALOSMQ_ASSIGN_OR_RETURN(const int status, WaitForEnd());
  if (status == 0) return absl::OkStatus();
  return MakeError(Reason::kInternal, base::StrCat("the server ended with status ", status,
                                                   "; it printed: ", Output()));
}

void ServerProcess::Kill() {
  Signal(SIGKILL);
  WaitForEnd().status().IgnoreError();
}

}  // namespace talosmq::support
