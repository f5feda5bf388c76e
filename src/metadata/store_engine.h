#pragma once

#include "base/executor.h"
#include "metadata/metadata_store.h"
#include "metadata/store_state.h"
#include "metadata/watch_history.h"

#include "absl/time/time.h"

#include <memory>
#include <string>

namespace talosmq::metadata {

/// The metadata store over a StateWriter: what the embedded form and the one in memory share.
///
/// Calls wait in one queue. The executor takes what waits as a round: it works out every call in
/// order, has all changes written together, and only then answers, so that an answer never shows
/// what a crash could take back.
///
/// Invariants:
/// 1. At most kWaitingCallsMax calls wait; one more is answered with kOverloaded.
/// 2. A watcher has one delivery under way at a time; what it has not got yet lies in the history,
///    and when the history has moved on it is told so.
/// 3. After a failed write every call fails, for what is in memory may not be on disk, until the
///    state could be read anew. Watchers hear of what the failed write held if it is there then.
/// Thread-safe. Owns the writer; borrows the executor, which outlives it and on which the writer
/// blocks. The destructor waits for a round under way and answers the rest with kShuttingDown.
class StoreEngine final : public MetadataStore {
 public:
  static constexpr size_t kWaitingCallsMax = 65'536;

  StoreEngine(WatchHistory::Options history, StoreState state, std::unique_ptr<StateWriter> writer,
              base::Executor& executor);
  StoreEngine(const StoreEngine&) = delete;
  StoreEngine& operator=(const StoreEngine&) = delete;
  ~StoreEngine() override;

  /// How long after a failed write, and after each attempt, the state is read anew.
  static constexpr absl::Duration kReloadInterval = absl::Seconds(1);

  absl::Status health() const override;
  void Get(std::string key, base::Executor& on,
           base::Callback<absl::StatusOr<std::optional<KeyValue>>> done) override;
  void List(std::string prefix, std::string from, base::Executor& on,
            base::Callback<absl::StatusOr<ListResult>> done) override;
  void Commit(Transaction transaction, base::Executor& on,
              base::Callback<absl::StatusOr<CommitResult>> done) override;
  WatchId Watch(std::string prefix, Revision after, base::Executor& on,
                base::Callback<const absl::StatusOr<WatchEvent>&> on_event) override;
  void Unwatch(WatchId watch) override;
  void GrantLease(absl::Duration time_to_live, base::Executor& on,
                  base::Callback<absl::StatusOr<LeaseId>> done) override;
  void KeepAlive(LeaseId lease, base::Executor& on, base::Callback<absl::Status> done) override;
  void RevokeLease(LeaseId lease, base::Executor& on, base::Callback<absl::Status> done) override;

 private:
  class Core;
  /// Shared with tasks that may still lie in executors when the engine has gone.
  const std::shared_ptr<Core> core_;
};

}  // namespace talosmq::metadata
