#pragma once

#include "base/executor.h"
#include "metadata/metadata_store.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <deque>
#include <optional>

namespace talosmq::controller {

/// Hands out producer ids that no broker hands out twice: takes blocks of 1,000 from the metadata
/// store by compare-and-set and gives them out one by one.
///
/// Confined to the executor given to Create; callbacks run there, in the order of the calls.
/// Crash: what is left of a block is never used.
class ProducerIds {
 public:
  static constexpr int64_t kBlock = 1000;
  static constexpr size_t kWaitersMax = 10'000;

  ProducerIds(metadata::MetadataStore& store, base::Executor& executor)
      : store_(store), executor_(executor) {}

  /// kOverloaded when kWaitersMax callers wait for a block.
  void Next(base::Callback<absl::StatusOr<ProducerId>> done);

 private:
  void FetchBlock();
  void OnBlockKey(absl::StatusOr<std::optional<metadata::KeyValue>> key);
  void ServeWaiters();
  void FailWaiters(const absl::Status& status);

  metadata::MetadataStore& store_;
  base::Executor& executor_;
  int64_t next_ = 0;  ///< First id not given out; next_ == end_: the block is used up.
  int64_t end_ = 0;
  bool is_fetching_ = false;
  std::deque<base::Callback<absl::StatusOr<ProducerId>>> waiters_;
};

}  // namespace talosmq::controller
