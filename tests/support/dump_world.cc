#include "support/dump_world.h"

#include "base/status.h"
#include "metadata/memory/memory_store.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

namespace talosmq::support {

DumpWorld::DumpWorld(int32_t partitions)
    : topic_id(*TopicId::Parse("1f3a9c04-5b6d-4e8f-9a0b-1c2d3e4f5061")),
      store_executor(clock),
      source_executor(clock),
      inner_store(metadata::MakeMemoryStore({}, store_executor)),
      store(*inner_store),
      source(source_executor),
      metrics(base::MakeNullMetricRegistry()),
      checker(disk, std::string(kFolder) + "/" + kTopic) {
  clock.SetNow(absl::FromUnixMillis(kSixOClockMs));
  source.CreateTopic(kTopic, topic_id, partitions);
}

void DumpWorld::Append(int32_t partition, const std::vector<int64_t>& timestamps_ms) {
  const TopicPartition to = PartitionOf(partition);
  std::vector<std::string> values;
  for (const int64_t timestamp_ms : timestamps_ms) {
    values.push_back("value " + std::to_string(random.Next()) + " of " +
                     std::to_string(timestamp_ms));
  }
  std::vector<record::RecordInput> records;
  for (size_t i = 0; i < values.size(); ++i) {
    records.push_back(
        {.timestamp_ms = timestamps_ms[i], .key = std::nullopt, .value = values[i], .headers = {}});
  }
  const Offset base = source.Append(to, records);
  for (size_t i = 0; i < values.size(); ++i) {
    checker.Stored(to.partition, base + static_cast<int64_t>(i), timestamps_ms[i], values[i]);
  }
}

DumpProcess::DumpProcess(DumpWorld& world)
    : world_(world),
      executor_(world.clock),
      state_(world.store, executor_),
      jobs_({.source = world.source,
             .state = state_,
             .file_system = world.disk,
             .executor = executor_,
             .clock = world.clock,
             .random = world.random,
             .metrics = *world.metrics}) {}

DumpProcess::~DumpProcess() {
  // What the store was asked for still happens, and answers to nobody.
  world_.store_executor.RunUntilIdle();
  world_.source.DropWaiting();
  executor_.DropAll();
}

void DumpProcess::Run(uint64_t tasks) {
  for (uint64_t i = 0; i < tasks; ++i) {
    RunAllUntilIdle({&world_.store_executor, &world_.source_executor});
    executor_.RunOne();
  }
}

void DumpProcess::Settle() {
  RunAllUntilIdle({&world_.store_executor, &world_.source_executor, &executor_});
}

void DumpProcess::Pass(absl::Duration duration) {
  const absl::Duration end = world_.clock.Monotonic() + duration;
  Settle();
  while (world_.clock.Monotonic() < end) {
    const absl::Duration next =
        std::min({end, executor_.NextTimer(), world_.source_executor.NextTimer()});
    world_.clock.Advance(std::max(next - world_.clock.Monotonic(), absl::Milliseconds(1)));
    Settle();
  }
}

absl::Status DumpProcess::Ask(const std::function<void(sink::DumpJobs::Done)>& call) {
  // Shared: a process that is killed may answer when nobody waits any more.
  const auto answer = std::make_shared<std::optional<absl::Status>>();
  call([answer](const absl::Status& status) { *answer = status; });
  Settle();
  return answer->value_or(MakeError(Reason::kDeadlineExceeded, "no answer"));
}

absl::Status DumpProcess::Start() {
  return Ask([this](sink::DumpJobs::Done done) { jobs_.Start(std::move(done)); });
}

sink::JobRequest JsonRequest() {
  return {.name = DumpWorld::kJob,
          .topic = DumpWorld::kTopic,
          .target = std::string("file://") + DumpWorld::kFolder,
          .format = sink::FormatKind::kJson,
          .configs = {}};
}

absl::Status DumpProcess::CreateJson(const std::map<std::string, std::string>& configs) {
  sink::JobRequest request = JsonRequest();
  request.configs = configs;
  return Create(request);
}

absl::Status DumpProcess::Create(const sink::JobRequest& request) {
  return Ask([&](sink::DumpJobs::Done done) { jobs_.Create(request, std::move(done)); });
}

absl::Status DumpProcess::Pause() {
  return Ask([this](sink::DumpJobs::Done done) { jobs_.Pause(DumpWorld::kJob, std::move(done)); });
}

absl::Status DumpProcess::Resume() {
  return Ask([this](sink::DumpJobs::Done done) { jobs_.Resume(DumpWorld::kJob, std::move(done)); });
}

absl::Status DumpProcess::Remove() {
  return Ask([this](sink::DumpJobs::Done done) { jobs_.Remove(DumpWorld::kJob, std::move(done)); });
}

absl::StatusOr<sink::JobDescription> DumpProcess::Describe() {
  const auto answer = std::make_shared<absl::StatusOr<sink::JobDescription>>(
      MakeError(Reason::kDeadlineExceeded, "no answer"));
  jobs_.Describe(DumpWorld::kJob, [answer](absl::StatusOr<sink::JobDescription> description) {
    *answer = std::move(description);
  });
  Settle();
  return std::move(*answer);
}

}  // namespace talosmq::support
