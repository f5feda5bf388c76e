#pragma once

#include "base/executor.h"
#include "client/fetched_chunk.h"
#include "talosmq/consumer.h"
#include "talosmq/metrics.h"
#include "talosmq/push_consumer.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace talosmq::client {

/// One partition of a push consumer: the chunks that wait for its processor, and the thread on
/// which they are decoded and processed.
///
/// Invariants:
/// 1. The processor hears Init first, Shutdown last, each once, and nothing at the same time.
/// 2. bytes() are those of all chunks that were pushed and are not yet processed or thrown away;
///    who pushes keeps them bounded.
/// Push and the accessors are thread-safe; the rest is confined to the lane's own thread. Shared by
/// the facade, which stops it, and the core that pushes.
class PushLane {
 public:
  struct Options {
    std::string topic;
    TopicPartition source;
    Offset start;
    ConsumerOptions consumer = {};
    int64_t low_bytes = 0;  ///< See Deps::on_low.
  };
  struct Deps {
    std::unique_ptr<Processor> processor;
    /// bytes() have fallen to low_bytes or less. Runs on the lane's thread.
    std::function<void()> on_low;
    /// There will be no more processing. Runs on the lane's thread, before Shutdown.
    std::function<void()> on_ended;
    ClientMetrics* metrics = nullptr;  ///< Null: none.
  };

  PushLane(const Options& options, Deps deps);
  /// Stops.
  ~PushLane();

  void Push(FetchedChunk chunk);
  /// Keeps the highest: news may overtake a chunk that waits.
  void NoteHighWatermark(Offset high_watermark);
  /// Waits for the Process that runs, throws away the rest, shuts the processor down and joins the
  /// thread. Idempotent, and for one thread at a time, not the lane's own.
  void Stop();
  /// Stop's first half: what waits is thrown away from now on. For ending many lanes side by side.
  void BeginStop();

  /// Whether this is the lane's own thread. Thread-safe.
  bool IsCurrent() const { return thread_.IsCurrent(); }
  int64_t bytes() const { return bytes_.load(); }
  PartitionPosition position() const {
    return {.partition = options_.source.partition,
            .position = Offset(position_.load()),
            .high_watermark = Offset(high_watermark_.load())};
  }

 private:
  void Handle(const FetchedChunk& chunk);
  absl::Status Process(const FetchedChunk& chunk);
  void End(const absl::Status& why);

  const Options options_;
  Deps deps_;
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> position_;
  std::atomic<int64_t> high_watermark_{0};
  std::atomic<bool> is_stopping_{false};
  bool has_ended_ = false;  ///< Confined to the lane's thread.
  base::ThreadExecutor thread_;
};

}  // namespace talosmq::client
