// Real processes: the server as people run it.

#include "support/child_process.h"
#include "support/server_process.h"
#include "support/temporary_directory.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <signal.h>

#include <filesystem>
#include <fstream>
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
