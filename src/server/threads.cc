#include "server/threads.h"

#include <string>

namespace talosmq::server {
namespace {

constexpr size_t kIoThreads = 2;

std::vector<std::unique_ptr<base::ThreadExecutor>> Make(const std::string& name, size_t count) {
  std::vector<std::unique_ptr<base::ThreadExecutor>> executors;
  for (size_t i = 0; i < count; ++i) {
    executors.push_back(std::make_unique<base::ThreadExecutor>(
        base::ThreadExecutor::Options{.name = name + "-" + std::to_string(i)}));
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
    : shards_(Make("shard", shards)),
      io_(Make("io", kIoThreads)),
      flush_({.name = "flush"}),
      metadata_({.name = "metadata"}),
      images_({.name = "images"}),
      admin_({.name = "admin"}) {}

std::vector<base::Executor*> Threads::shards() const { return Pointers(shards_); }

std::vector<base::Executor*> Threads::io() const { return Pointers(io_); }

void Threads::Stop() {
  admin_.Stop();
  for (const auto& shard : shards_) shard->Stop();
  flush_.Stop();
  for (const auto& io : io_) io->Stop();
  images_.Stop();
  metadata_.Stop();
}

}  // namespace talosmq::server
