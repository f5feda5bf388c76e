// Real processes: the server as people run it.

#include "support/child_process.h"
#include "support/server_process.h"
#include "support/temporary_directory.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace talosmq {
namespace {

using support::ChildProcess;
using support::ServerProcess;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kServerProgram[] = TALOSMQ_SERVER_PROGRAM;
constexpr char kCliProgram[] = TALOSMQ_CLI_PROGRAM;

class ServerTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<ServerProcess>> TryStart(std::vector<std::string> arguments = {}) {
    return ServerProcess::Start(
        {.program = kServerProgram, .data_dir = data_dir(), .arguments = std::move(arguments)});
  }

  std::unique_ptr<ServerProcess> Start(std::vector<std::string> arguments = {}) {
    auto server = TryStart(std::move(arguments));
    EXPECT_TRUE(server.ok()) << server.status();
    return server.ok() ? *std::move(server) : nullptr;
  }

  struct Result {
    int status = -1;
    std::string output;
  };
  Result Run(std::vector<std::string> command) {
    const std::string output = directory_.path() + "/output-" + std::to_string(++runs_);
    auto process = ChildProcess::Start({.command = std::move(command), .output_file = output});
    EXPECT_TRUE(process.ok()) << process.status();
    const auto status = (*process)->Wait(absl::Seconds(90));
    EXPECT_TRUE(status.ok()) << status.status();
    return {.status = status.value_or(-1), .output = (*process)->Output()};
  }
  Result Cli(const ServerProcess& server, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {kCliProgram, "--server", server.grpc_address()});
    return Run(std::move(arguments));
  }

  std::string data_dir() const { return directory_.path() + "/data"; }
  std::string WriteFile(const std::string& name, const std::string& text) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  static std::string ReadFile(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  support::TemporaryDirectory directory_;
  int runs_ = 0;
};

TEST_F(ServerTest, SecondServerOnTheDirectoryIsRefusedNamingTheLock) {
  const auto first = Start();
  ASSERT_NE(first, nullptr);
  const std::string listeners = ReadFile(data_dir() + "/listeners.json");
  const auto second = TryStart();
  EXPECT_THAT(second.status().ToString(),
              AllOf(HasSubstr(data_dir() + "/lock"), HasSubstr("status 1")));
  EXPECT_EQ(ReadFile(data_dir() + "/listeners.json"), listeners);
  EXPECT_EQ(Cli(*first, {"cluster", "health"}).status, 0);
}

TEST_F(ServerTest, DamagedNodeFileStopsTheStartAndNothingIsChanged) {
  ASSERT_TRUE(Start()->Terminate().ok());
  std::string text = ReadFile(data_dir() + "/node.json");
  text.replace(text.find("\"boot_counter\": 1"), 17, "\"boot_counter\": 7");
  std::ofstream(data_dir() + "/node.json") << text;
  EXPECT_THAT(TryStart().status().ToString(), AllOf(HasSubstr("node.json"), HasSubstr("crc32c")));
  EXPECT_EQ(ReadFile(data_dir() + "/node.json"), text);
}

TEST_F(ServerTest, MissingNodeFileStopsTheStartAndNothingIsDeleted) {
  ASSERT_TRUE(Start()->Terminate().ok());
  std::filesystem::remove(data_dir() + "/node.json");
  EXPECT_THAT(TryStart().status().ToString(),
              AllOf(HasSubstr("node.json is missing"), HasSubstr(data_dir() + "/kv")));
  EXPECT_TRUE(std::filesystem::exists(data_dir() + "/kv/CURRENT"));
}

/// A directory with topics and records that nobody serves, and damaged copies of it.
class DamagedStoreTest : public ServerTest {
 protected:
  using Files = std::map<std::string, std::string>;

  void SetUp() override {
    const auto server = Start();
    ASSERT_NE(server, nullptr);
    ASSERT_EQ(Cli(*server, {"topic", "create", "empty", "-p", "2"}).status, 0);
    ASSERT_EQ(Cli(*server, {"topic", "create", "orders", "-p", "2"}).status, 0);
    const std::string lines = WriteFile("lines", "one\ntwo\n");
    for (const char* partition : {"0", "1"}) {
      ASSERT_EQ(Cli(*server, {"produce", "orders", "-f", lines, "--partition", partition}).status,
                0);
    }
    ASSERT_TRUE(server->Terminate().ok());
    Keep();
  }

  /// What the damaged copies are made of.
  void Keep() {
    std::filesystem::remove_all(sound_dir());
    std::filesystem::copy(data_dir(), sound_dir(), std::filesystem::copy_options::recursive);
    logs_ = Content(sound_dir() + "/topics");
    store_ = Content(sound_dir() + "/kv");
  }
  void Restore() const {
    std::filesystem::remove_all(data_dir());
    std::filesystem::copy(sound_dir(), data_dir(), std::filesystem::copy_options::recursive);
  }

  static Files Content(const std::string& directory) {
    Files files;
    for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
      if (file.is_regular_file()) files[file.path()] = ReadFile(file.path());
    }
    Files below;
    for (auto& [path, content] : files) below[path.substr(directory.size())] = std::move(content);
    return below;
  }

  /// Starts a server over a copy whose store holds `damaged`: it is refused, names node.json and
  /// the store, and leaves every file as it was; or it serves all there was. True when refused.
  bool IsRefused(const Files& damaged, const std::string& damage) {
    SCOPED_TRACE(damage);
    Restore();
    std::filesystem::remove_all(data_dir() + "/kv");
    if (!damaged.empty()) std::filesystem::create_directory(data_dir() + "/kv");
    for (const auto& [path, content] : damaged) {
      std::ofstream(data_dir() + "/kv" + path, std::ios::binary) << content;
    }
    const auto server = TryStart();
    if (!server.ok()) {
      EXPECT_THAT(server.status().ToString(),
                  AllOf(HasSubstr(data_dir() + "/node.json"), HasSubstr(data_dir() + "/kv")));
      EXPECT_EQ(Content(data_dir() + "/topics"), logs_);
      EXPECT_EQ(std::filesystem::exists(data_dir() + "/kv") ? Content(data_dir() + "/kv") : Files(),
                damaged);
      return true;
    }
    ExpectAll(**server);
    EXPECT_TRUE((*server)->Terminate().ok());
    EXPECT_EQ(Content(data_dir() + "/topics"), logs_);
    return false;
  }
  void ExpectAll(const ServerProcess& server) {
    const Result topics = Cli(server, {"topic", "list"});
    EXPECT_THAT(topics.output, AllOf(HasSubstr("empty"), HasSubstr("orders")));
    const Result read = Cli(server, {"consume", "orders", "-e", "-f", "%p%o%v "});
    EXPECT_THAT(read.output, AllOf(HasSubstr("00one 01two "), HasSubstr("10one 11two ")));
    EXPECT_THAT(Cli(server, {"orphan", "list"}).output, HasSubstr("no orphans"));
  }

  static bool IsData(const std::string& path) {
    return path == "/CURRENT" || path.starts_with("/MANIFEST") || path.ends_with(".sst") ||
           path.ends_with(".log");
  }

  /// Each file removed, cut and with a bit flipped here and there.
  void DamageEachFile() {
    for (const auto& [path, content] : store_) {
      Files damaged = store_;
      damaged.erase(path);
      EXPECT_EQ(IsRefused(damaged, path + " is removed"), IsData(path)) << path;
      for (const size_t size : {size_t{0}, content.size() / 2}) {
        damaged[path] = content.substr(0, size);
        EXPECT_TRUE(IsRefused(damaged, path + " is cut") || !IsData(path) || size > 0) << path;
      }
      if (!IsData(path)) continue;
      for (const size_t at : {size_t{0}, size_t{5}, content.size() / 3, content.size() / 2}) {
        damaged[path] = content;
        if (at < content.size()) damaged[path][at] = static_cast<char>(content[at] ^ 0x10);
        IsRefused(damaged, path + " has a flipped bit at " + std::to_string(at));
      }
    }
  }

  std::string sound_dir() const { return data_dir() + ".sound"; }

  Files logs_;
  Files store_;
};

TEST_F(DamagedStoreTest, MissingStoreStopsTheStart) {
  EXPECT_TRUE(IsRefused({}, "kv is missing"));
  Restore();
  std::filesystem::remove_all(data_dir() + "/kv");
  std::filesystem::remove_all(data_dir() + "/topics");
  EXPECT_THAT(TryStart().status().ToString(), HasSubstr(data_dir() + "/kv"));
}

TEST_F(DamagedStoreTest, EachFileOfTheStoreIsNeededOrNotMissedAfterACleanStop) { DamageEachFile(); }

TEST_F(DamagedStoreTest, EachFileOfTheStoreIsNeededOrNotMissedAfterAKill) {
  Start()->Kill();
  Keep();
  DamageEachFile();
}

TEST_F(DamagedStoreTest, OlderCopyOfTheStoreIsRefusedUntilItIsAccepted) {
  const Files older = store_;
  auto server = Start();
  ASSERT_EQ(Cli(*server, {"topic", "create", "late", "-p", "1"}).status, 0);
  ASSERT_TRUE(server->Terminate().ok());
  Keep();
  EXPECT_TRUE(IsRefused(older, "the store is an older copy"));
  server = Start({"--set", "recovery.accept_restored_copy=true"});
  ASSERT_NE(server, nullptr);
  ExpectAll(*server);
  ASSERT_TRUE(server->Terminate().ok());
  server = Start();
  ASSERT_NE(server, nullptr);
  ExpectAll(*server);
}

TEST_F(DamagedStoreTest, StoreOfAnotherServerIsRefusedAndTheLogsAreKept) {
  const auto other = ServerProcess::Start(
      {.program = kServerProgram, .data_dir = directory_.path() + "/other", .arguments = {}});
  ASSERT_TRUE(other.ok()) << other.status();
  for (const char* topic : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    ASSERT_EQ(Cli(**other, {"topic", "create", topic, "-p", "2"}).status, 0);
  }
  ASSERT_TRUE((*other)->Terminate().ok());
  std::filesystem::remove_all(data_dir() + "/kv");
  std::filesystem::copy(directory_.path() + "/other/kv", data_dir() + "/kv");
  EXPECT_THAT(TryStart().status().ToString(),
              AllOf(HasSubstr(data_dir() + "/node.json"), HasSubstr(data_dir() + "/kv")));
  EXPECT_EQ(Content(data_dir() + "/topics"), logs_);
}

/// Starts that fail, one after another.
class CrashLoopTest : public ServerTest {
 protected:
  std::string guard_file() const { return data_dir() + "/failed-starts.json"; }
};

TEST_F(CrashLoopTest, SixthStartAfterFiveFailedOnesIsRefusedWithWhatToDo) {
  ASSERT_TRUE(Start()->Terminate().ok());
  std::filesystem::rename(data_dir() + "/kv/CURRENT", data_dir() + "/away");
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(TryStart().status().ToString(), HasSubstr("metadata store"));
  }
  std::filesystem::rename(data_dir() + "/away", data_dir() + "/kv/CURRENT");
  EXPECT_THAT(TryStart().status().ToString(),
              AllOf(HasSubstr(guard_file()), HasSubstr("5 starts in a row"),
                    HasSubstr("metadata store"), HasSubstr("remove this file")));
  std::filesystem::remove(guard_file());
  EXPECT_NE(Start(), nullptr);
  EXPECT_FALSE(std::filesystem::exists(guard_file()));
}

TEST_F(CrashLoopTest, ServerThatIsKilledOnceItIsReadyIsStartedForEver) {
  for (int i = 0; i < 7; ++i) {
    const auto server = Start();
    ASSERT_NE(server, nullptr) << i;
    server->Kill();
    EXPECT_FALSE(std::filesystem::exists(guard_file()));
  }
}

TEST_F(CrashLoopTest, WrongSettingsAndTakenPortsAreNotCounted) {
  const auto other = ServerProcess::Start(
      {.program = kServerProgram, .data_dir = directory_.path() + "/other", .arguments = {}});
  ASSERT_TRUE(other.ok()) << other.status();
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(TryStart({"--set", "grpc.listen=" + (*other)->grpc_address()}).ok());
    EXPECT_FALSE(TryStart({"--set", "http.listen=" + (*other)->http_address()}).ok());
    EXPECT_FALSE(TryStart({"--set", "tls.cert=/no/file", "--set", "tls.key=/no/file"}).ok());
    EXPECT_FALSE(TryStart({"--set", "no.such=1"}).ok());
  }
  EXPECT_FALSE(std::filesystem::exists(guard_file()));
  EXPECT_NE(Start(), nullptr);
}

TEST_F(ServerTest, UnknownSettingStopsTheStartNamingTheNearestOne) {
  EXPECT_THAT(TryStart({"--set", "storage.tail_cash_bytes_max=1"}).status().ToString(),
              HasSubstr("did you mean storage.tail_cache_bytes_max"));
}

TEST_F(ServerTest, ListenerOffLoopbackIsRefusedUnlessAllowedAndThenTold) {
  EXPECT_THAT(TryStart({"--set", "http.listen=0.0.0.0:0"}).status().ToString(),
              HasSubstr("security.insecure_network: true"));
  const auto server =
      Start({"--set", "http.listen=0.0.0.0:0", "--set", "security.insecure_network=true"});
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(server->Output(), HasSubstr("warning server: security.insecure_network is set"));
  const Result health = Cli(*server, {"cluster", "health"});
  EXPECT_EQ(health.status, 0);
  EXPECT_THAT(health.output, AllOf(HasSubstr("listener http"), HasSubstr("0.0.0.0")));
}

TEST_F(ServerTest, FirstLineOfTheLogTellsTheDataDirectory) {
  const auto server = Start({"--set", "log.form=json"});
  ASSERT_NE(server, nullptr);
  const std::string first = server->Output().substr(0, server->Output().find('\n'));
  EXPECT_THAT(first, AllOf(testing::StartsWith("{"), HasSubstr("data directory " + data_dir())));
}

TEST_F(ServerTest, RecordsOutliveACleanStopAndAKill) {
  auto server = Start();
  ASSERT_NE(server, nullptr);
  ASSERT_EQ(Cli(*server, {"topic", "create", "orders", "-p", "3"}).status, 0);
  const std::string lines = WriteFile("lines", "one\ntwo\nthree\n");
  ASSERT_EQ(Cli(*server, {"produce", "orders", "-f", lines, "--partition", "1"}).status, 0);
  ASSERT_TRUE(server->Terminate().ok());
  EXPECT_FALSE(std::filesystem::exists(data_dir() + "/listeners.json"));
  server = Start();
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(server->Output(), Not(HasSubstr("not a clean one")));
  ASSERT_EQ(Cli(*server, {"produce", "orders", "-f", lines, "--partition", "1"}).status, 0);
  server->Kill();
  server = Start();
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(server->Output(), HasSubstr("not a clean one"));
  const Result read = Cli(*server, {"consume", "orders", "-e", "-f", "%p %o %v\\n"});
  EXPECT_EQ(read.status, 0) << read.output;
  EXPECT_THAT(read.output, HasSubstr("1 0 one\n1 1 two\n1 2 three\n1 3 one\n1 4 two\n1 5 three\n"));
}

TEST_F(ServerTest, SecondSignalDoesNotDisturbTheStop) {
  const auto server = Start();
  ASSERT_NE(server, nullptr);
  server->Signal(SIGINT);
  server->Signal(SIGTERM);
  server->Signal(SIGINT);
  const auto status = server->WaitForEnd();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(*status, 0);
  EXPECT_THAT(ReadFile(data_dir() + "/node.json"), HasSubstr("\"clean_stop\": true"));
}

TEST_F(ServerTest, IdleServerFitsInSixtyMegabytes) {
  const auto server = Start();
  ASSERT_NE(server, nullptr);
  ASSERT_EQ(Cli(*server, {"cluster", "health"}).status, 0);
  std::ifstream status("/proc/" + std::to_string(server->pid()) + "/status");
  std::string word;
  int64_t resident_kb = 0;
  while (status >> word) {
    if (word == "VmRSS:") status >> resident_kb;
  }
  EXPECT_GT(resident_kb, 0);
  EXPECT_LE(resident_kb, 60 * 1000);
}

TEST_F(ServerTest, ServerWithoutTheSinkRoleRefusesDumps) {
  const auto server = Start({"--roles", "broker,controller"});
  ASSERT_NE(server, nullptr);
  const Result listed = Cli(*server, {"dump", "list"});
  EXPECT_EQ(listed.status, 1);
  EXPECT_THAT(listed.output, HasSubstr("roles"));
}

TEST_F(ServerTest, ClientInAnotherLanguageProducesAndConsumes) {
  const auto server = Start();
  ASSERT_NE(server, nullptr);
  const std::string stubs = directory_.path() + "/stubs";
  std::filesystem::create_directory(stubs);
  const Result client = Run({"/usr/bin/python3", "-B", "tests/integration/python_client.py",
                             server->grpc_address(), "proto", stubs});
  EXPECT_EQ(client.status, 0) << client.output << server->Output();
}

}  // namespace
}  // namespace talosmq
