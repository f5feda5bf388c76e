#pragma once

#include "CLI/CLI.hpp"
#include "cli/command.h"

namespace talosmq::cli {

// One function and one file for each command. Each adds its command below `parent` and stores what
// to do in `selected` when that command is the one given.

void AddTopicCreate(CLI::App& parent, Action& selected);
void AddTopicList(CLI::App& parent, Action& selected);
void AddTopicDescribe(CLI::App& parent, Action& selected);
void AddTopicAlter(CLI::App& parent, Action& selected);
void AddTopicAddPartitions(CLI::App& parent, Action& selected);
void AddTopicTrim(CLI::App& parent, Action& selected);
void AddTopicDelete(CLI::App& parent, Action& selected);

void AddProduce(CLI::App& parent, Action& selected);
void AddConsume(CLI::App& parent, Action& selected);

void AddGroupList(CLI::App& parent, Action& selected);
void AddGroupDescribe(CLI::App& parent, Action& selected);
void AddGroupReset(CLI::App& parent, Action& selected);
void AddGroupDelete(CLI::App& parent, Action& selected);

void AddDumpCreate(CLI::App& parent, Action& selected);
void AddDumpList(CLI::App& parent, Action& selected);
void AddDumpDescribe(CLI::App& parent, Action& selected);
void AddDumpWatch(CLI::App& parent, Action& selected);
void AddDumpPause(CLI::App& parent, Action& selected);
void AddDumpResume(CLI::App& parent, Action& selected);
void AddDumpDelete(CLI::App& parent, Action& selected);

void AddClusterDescribe(CLI::App& parent, Action& selected);
void AddClusterHealth(CLI::App& parent, Action& selected);

void AddBrokerList(CLI::App& parent, Action& selected);
void AddPartitionList(CLI::App& parent, Action& selected);
void AddPartitionSkipCorrupt(CLI::App& parent, Action& selected);
void AddOrphanDelete(CLI::App& parent, Action& selected);
void AddOrphanList(CLI::App& parent, Action& selected);

void AddUserCreate(CLI::App& parent, Action& selected);
void AddUserDelete(CLI::App& parent, Action& selected);
void AddUserList(CLI::App& parent, Action& selected);

void AddLogInspect(CLI::App& parent, Action& selected);
void AddLogVerify(CLI::App& parent, Action& selected);

void AddBenchProduce(CLI::App& parent, Action& selected);
void AddBenchConsume(CLI::App& parent, Action& selected);
void AddBenchLatency(CLI::App& parent, Action& selected);
void AddBenchCeiling(CLI::App& parent, Action& selected);

/// Of all that the program has, so it is added last.
void AddCompletion(CLI::App& parent, Action& selected);

}  // namespace talosmq::cli
