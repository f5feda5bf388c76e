#pragma once

#include "base/clock.h"
#include "base/random.h"

#include "absl/time/time.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace talosmq::loadgen {

/// How records find their partitions.
enum class Spread {
  kSticky,  ///< As the SDK does it for records without key: one partition for a batch.
  kEven,    ///< One record to each partition in turn.
};

/// What a bench moves. A plain value.
struct Workload {
  /// An existing topic; nothing: one of the bench's own, removed afterwards.
  std::optional<std::string> topic;
  int64_t records = 1'000'000;
  int64_t value_bytes = 100;
  /// Records a second; nothing: as fast as it goes.
  std::optional<double> rate;
  int32_t partitions = 1;  ///< Only of a topic of the bench's own.
  Spread spread = Spread::kSticky;
  /// As in ProducerOptions.
  absl::Duration linger = absl::ZeroDuration();
  int64_t batch_bytes = int64_t{1} << 20;
};

/// What every bench stands on. `is_interrupted` is asked now and then, from any thread.
struct BenchDeps {
  const base::Clock& clock;
  base::Random& random;
  std::function<bool()> is_interrupted;
};

}  // namespace talosmq::loadgen
