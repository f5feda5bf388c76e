#include "cli/command_line.h"

#include "base/bytes.h"
#include "cli/settings.h"
#include "io/file_system.h"
#include "support/memory_file_system.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/cli/outcome.h"

#include <string>
#include <vector>

namespace talosmq::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Wrong usage, told on standard error only, in words that contain all of `parts`.
void ExpectWrongUsage(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& parts) {
  const Outcome outcome = RunTalosmq(arguments);
  EXPECT_EQ(outcome.status, ExitStatus::kWrongUsage) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  for (const std::string& part : parts) EXPECT_THAT(outcome.err, HasSubstr(part));
}

TEST(CommandLineTest, UnknownCommandIsToldWithItsNeighbour) {
  ExpectWrongUsage({"topci"}, {"unknown command 'topci'", "did you mean 'topic'"});
  ExpectWrongUsage({"topic", "creat", "x"}, {"did you mean 'create'", "talosmq topic"});
}

TEST(CommandLineTest, NumbersTellTheirBound) {
  ExpectWrongUsage({"consume", "t", "-n", "0"}, {"at least 1", "found '0'"});
  ExpectWrongUsage({"consume", "t", "-n", "many"}, {"at least 1", "found 'many'"});
  ExpectWrongUsage({"bench", "produce", "--records", "-3"}, {"at least 1", "found '-3'"});
  ExpectWrongUsage({"produce", "t", "--partition", "-1"}, {"at least 0", "found '-1'"});
}

TEST(CommandLineTest, WhatDoesNotGoWithAGroupIsRefused) {
  ExpectWrongUsage({"consume", "t", "-g", "g", "--partition", "1"}, {"--partition", "--group"});
  for (const char* place : {"1..5", "start..", "-5"}) {
    ExpectWrongUsage({"consume", "t", "-g", "g", "-O", place}, {"--offset", "--group", place});
    ExpectWrongUsage({"group", "reset", "g", "t", "-O", place}, {"--offset", place});
  }
}

TEST(CommandLineTest, OrphanWithoutAnIdOfTheListIsRefused) {
  for (const char* id :
       {"orders", "orders/0", "00112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeeff/-1", "00112233-4455-6677-8899-aabbccddeeff/.."}) {
    ExpectWrongUsage({"orphan", "delete", id}, {"orphan list", "TOPIC_ID/PARTITION", id});
  }
}

TEST(CommandLineTest, CommandsOfLaterVersionsAreUnknown) {
  for (const char* command : {"quota", "schema"}) {
    ExpectWrongUsage({command}, {"unknown command", "there are topic"});
  }
  for (const char* verb : {"start", "stop", "restart", "history", "preview", "export"}) {
    ExpectWrongUsage({"dump", verb, "job"}, {"unknown command", verb});
  }
  ExpectWrongUsage({"broker", "drain", "1"}, {"unknown command 'drain'", "there are list"});
  ExpectWrongUsage({"partition", "move"}, {"unknown command 'move'"});
  ExpectWrongUsage({"dump", "apply"}, {"unknown command 'apply'"});
  ExpectWrongUsage({"cluster", "rebalance"}, {"unknown command 'rebalance'"});
}

TEST(CommandLineTest, MissingCommandIsToldWithThoseThereAre) {
  ExpectWrongUsage({}, {"a command is missing", "produce"});
  ExpectWrongUsage({"dump"}, {"a command is missing", "pause"});
}

TEST(CommandLineTest, UnknownOptionIsToldWithItsNeighbour) {
  ExpectWrongUsage({"produce", "t", "--partion", "3"}, {"did you mean '--partition'"});
  ExpectWrongUsage({"consume", "t", "--gruop", "g"}, {"did you mean '--group'"});
  ExpectWrongUsage({"topic", "list", "--sever", "x"}, {"did you mean '--server'"});
}

TEST(CommandLineTest, MissingAndSurplusArgumentsAreToldWithTheUsage) {
  ExpectWrongUsage({"topic", "create"},
                   {"NAME is required", "talosmq topic create [OPTIONS] NAME"});
  ExpectWrongUsage({"topic", "delete", "a", "b"}, {"unexpected argument 'b'"});
  ExpectWrongUsage({"dump", "create", "d"}, {"--topic"});
}

TEST(CommandLineTest, WrongValuesAreToldWithTheForms) {
  ExpectWrongUsage({"topic", "create", "t", "-p", "many"}, {"--partitions"});
  ExpectWrongUsage({"topic", "create", "t", "-c", "novalue"}, {"key=value"});
  ExpectWrongUsage({"topic", "alter", "t"}, {"-c key=value or --unset key"});
  ExpectWrongUsage({"produce", "t", "-z", "brotli"}, {"gzip, snappy, lz4 and zstd"});
  ExpectWrongUsage({"produce", "t", "--acks", "two"}, {"all, leader and none"});
  ExpectWrongUsage({"produce", "t", "--partition", "-1"}, {"--partition"});
  ExpectWrongUsage({"produce", "t", "-k", ""}, {"-k"});
  ExpectWrongUsage({"consume", "t", "-O", "5..3"}, {"start, end, N"});
  ExpectWrongUsage({"consume", "t", "-n", "0"}, {"--count"});
  ExpectWrongUsage({"consume", "t", "-f", "%q"}, {"%v value"});
  ExpectWrongUsage({"consume", "t", "-f", "%v", "-o", "json"}, {"-o table only"});
  ExpectWrongUsage({"dump", "create", "d", "--topic", "t", "--to", "file:///x", "--format", "csv"},
                   {"json and raw"});
  ExpectWrongUsage({"dump", "create", "d", "--topic", "t", "--to", "file:///x", "--format", "raw",
                    "--mode", "sql"},
                   {"--mode"});
  ExpectWrongUsage({"bench", "produce", "--size", "1K"}, {"64KiB"});
  ExpectWrongUsage({"-o", "xml", "topic", "list"}, {"table, json and yaml"});
}

TEST(CommandLineTest, VersionIsPrinted) {
  const Outcome outcome = RunTalosmq({"--version"});
  EXPECT_EQ(outcome.status, ExitStatus::kDone);
  EXPECT_THAT(outcome.out, testing::StartsWith("talosmq "));
}

// Port 1 of this machine answers nobody, so a command fails at its first step and tells the
// address.
TEST(CommandLineTest, UnreachableServerIsToldWithItsAddressAndWhatToDo) {
  const Outcome outcome = RunTalosmq({"topic", "list", "--server", "127.0.0.1:1"});
  EXPECT_EQ(outcome.status, ExitStatus::kFailed);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("talosmqd")));
}

TEST(CommandLineTest, GlobalFlagsWorkBeforeAndAfterTheCommand) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--server", "127.0.0.1:1", "-o", "json", "topic", "list"},
        std::vector<std::string>{"topic", "--server", "127.0.0.1:1", "list", "-o", "json"},
        std::vector<std::string>{"topic", "list", "-o", "json", "--server=127.0.0.1:1"}}) {
    const Outcome outcome = RunTalosmq(arguments);
    EXPECT_EQ(outcome.status, ExitStatus::kFailed);
    EXPECT_THAT(outcome.err, HasSubstr("127.0.0.1:1"));
  }
}

TEST(CommandLineTest, TopicMayBeNamedLikeACommand) {
  const Outcome outcome =
      RunTalosmq({"consume", "produce", "-O", "-5", "-e", "--server", "127.0.0.1:1"});
  EXPECT_EQ(outcome.status, ExitStatus::kFailed) << outcome.err;
}

TEST(CommandLineTest, ConfigFileThatIsNamedMustExist) {
  Environment environment;
  environment.config_path = "/nowhere.yaml";
  const Outcome outcome = RunTalosmq({"topic", "list"}, environment);
  EXPECT_EQ(outcome.status, ExitStatus::kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("/nowhere.yaml"));
}

TEST(SettingsTest, UnknownKeysAndShapesAreRefused) {
  for (const char* yaml : {"sever: a", "- server", "server: [a]", "output: xml", "a: b: c", "{"}) {
    const auto settings = ParseSettings(yaml, "config.yaml");
    ASSERT_FALSE(settings.ok()) << yaml;
    EXPECT_THAT(std::string(settings.status().message()), HasSubstr("config.yaml"));
  }
}

TEST(SettingsTest, EmptyFileSaysNothing) {
  const auto settings = ParseSettings("# nothing\n", "config.yaml");
  ASSERT_TRUE(settings.ok());
  EXPECT_FALSE(settings->server.has_value());
}

TEST(SettingsTest, FlagWinsOverEnvironmentAndEnvironmentOverFile) {
  support::MemoryFileSystem file_system;
  ASSERT_TRUE(file_system.MakeDirectories("/home/me/.config/talosmq").ok());
  ASSERT_TRUE(io::WriteFileAtomically(file_system, "/home/me/.config/talosmq/config.yaml",
                                      base::AsBytes("server: file:1\noutput: yaml\n"))
                  .ok());
  Environment environment;
  environment.home = "/home/me";
  EXPECT_EQ(ResolveSettings({}, environment, file_system)->server, "file:1");
  EXPECT_EQ(ResolveSettings({}, environment, file_system)->output, OutputForm::kYaml);
  environment.server = "environment:1";
  EXPECT_EQ(ResolveSettings({}, environment, file_system)->server, "environment:1");
  Settings flags;
  flags.server = "flag:1";
  EXPECT_EQ(ResolveSettings(flags, environment, file_system)->server, "flag:1");
}

}  // namespace
}  // namespace talosmq::cli
