#include "server/threads.h"

#include <string>

namespace talosmq::server {
namespace {

constexpr size_t kIoThreads = 2;
/// Of one shard; further work is refused with kOverloaded. Short, since a request whose deadline
/// passes in this queue is answered only when its turn comes.
constexpr size_t kShardTasksMax = 16'384;
constexpr size_t kTasksMax = 65'536;
/// Of threads that no append to an open log waits for: readers that catch up and compaction take
/// what the writers leave of a busy processor.
constexpr int kBackgroundNiceness = 10;

std::vector<std::unique_ptr<base::ThreadExecutor>> Make(const std::string& name, size_t count,
                                                        size_t tasks_max, int niceness) {
  std::vector<std::unique_ptr<base::ThreadExecutor>> executors;
  for (size_t i = 0; i < count; ++i) {
    executors.push_back(std::make_unique<base::ThreadExecutor>(
        base::ThreadExecutor::Options{.name = name + "-" + std::to_string(i),
                                      .queue_tasks_max = tasks_max,
                                      .niceness = niceness}));
  }
  return executors;
}

std::vector<base::Executor*> Pointers(
    const std::vector<std::unique_ptr<base::ThreadExecutor>>& executors) {
  std::vector<base::Executor*> pointers;
  for (const auto& executor : executors) pointers.push_back(executor.get());
  return pointers;
}

}  // namespace

Threads::Threads(size_t shards)
    : shards_(Make("shard", shards, kShardTasksMax, 0)),
      io_(Make("io", kIoThreads, kTasksMax, kBackgroundNiceness)),
      flush_({.name = "flush"}),
      write_back_({.name = "write-back"}),
      compaction_({.name = "compaction", .niceness = kBackgroundNiceness}),
      checkpoint_({.name = "checkpoint"}),
      metadata_({.name = "metadata"}),
      images_({.name = "images"}),
      admin_({.name = "admin"}),
      views_({.name = "views"}) {}

std::vector<base::Executor*> Threads::shards() const { return Pointers(shards_); }

std::vector<base::Executor*> Threads::io() const { return Pointers(io_); }

void Threads::Stop() {
  admin_.Stop();
  for (const auto& shard : shards_) shard->Stop();
  flush_.Stop();
  write_back_.Stop();
  compaction_.Stop();
  checkpoint_.Stop();
  for (const auto& io : io_) io->Stop();
  images_.Stop();
  metadata_.Stop();
  views_.Stop();
}

}  // namespace talosmq::server
