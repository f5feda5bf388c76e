#pragma once

#include "base/executor.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace talosmq::server {

/// The executors of a server, each with its thread; docs/threading.md says what is confined where.
/// Thread-safe. Outlives everything that was given one of them.
class Threads {
 public:
  explicit Threads(size_t shards);
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  std::vector<base::Executor*> shards() const;
  /// Reads, opens and deletes logs.
  std::vector<base::Executor*> io() const;
  base::Executor& flush() { return flush_; }
  base::Executor& write_back() { return write_back_; }
  base::Executor& compaction() { return compaction_; }
  base::Executor& checkpoint() { return checkpoint_; }
  base::Executor& metadata() { return metadata_; }
  base::Executor& images() { return images_; }
  base::Executor& admin() { return admin_; }
  base::Executor& views() { return views_; }

  /// What is queued still runs; everybody who posts has been stopped before.
  void Stop();

 private:
  std::vector<std::unique_ptr<base::ThreadExecutor>> shards_;
  std::vector<std::unique_ptr<base::ThreadExecutor>> io_;
  base::ThreadExecutor flush_;
  base::ThreadExecutor write_back_;
  base::ThreadExecutor compaction_;
  base::ThreadExecutor checkpoint_;
  base::ThreadExecutor metadata_;
  base::ThreadExecutor images_;
  base::ThreadExecutor admin_;
  base::ThreadExecutor views_;
};

}  // namespace talosmq::server
