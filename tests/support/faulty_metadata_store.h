#pragma once

#include "base/mutex.h"
#include "metadata/metadata_store.h"

#include <cstdint>
#include <optional>

namespace talosmq::support {

/// What becomes of a commit that fails.
enum class CommitFault {
  kLostRequest,  ///< It fails and has changed nothing.
  kLostReply,    ///< It fails and has taken effect.
  kRefused,      ///< It fails with kOverloaded: as with kLostRequest, but one can know.
};

/// A metadata store that fails chosen commits, or whose caller dies in one. Everything else goes to
/// the store behind it, which it borrows. Thread-safe.
class FaultyMetadataStore final : public metadata::MetadataStore {
 public:
  explicit FaultyMetadataStore(metadata::MetadataStore& store) : store_(store) {}

  /// Fails the `nth` commit from now on (1: the next one), with kMetadataUnavailable unless the
  /// fault says otherwise.
  void FailCommit(uint64_t nth, CommitFault fault);
  /// The process dies in the `nth` commit: it is never answered, and no call after it is made.
  void DieInCommit(uint64_t nth, CommitFault fault);
  /// Commits so far.
  uint64_t commits() const;
  bool is_dead() const;

  absl::Status health() const override { return store_.health(); }
  void Get(std::string key, base::Executor& on,
           base::Callback<absl::StatusOr<std::optional<metadata::KeyValue>>> done) override;
  void List(std::string prefix, std::string from, base::Executor& on,
            base::Callback<absl::StatusOr<metadata::ListResult>> done) override;
  void Commit(metadata::Transaction transaction, base::Executor& on,
              base::Callback<absl::StatusOr<metadata::CommitResult>> done) override;
  metadata::WatchId Watch(
      std::string prefix, metadata::Revision after, base::Executor& on,
      base::Callback<const absl::StatusOr<metadata::WatchEvent>&> on_event) override;
  void Unwatch(metadata::WatchId watch) override;
  void GrantLease(absl::Duration time_to_live, base::Executor& on,
                  base::Callback<absl::StatusOr<metadata::LeaseId>> done) override;
  void KeepAlive(metadata::LeaseId lease, base::Executor& on,
                 base::Callback<absl::Status> done) override;
  void RevokeLease(metadata::LeaseId lease, base::Executor& on,
                   base::Callback<absl::Status> done) override;

 private:
  enum class Then { kFail, kDie };
  struct Plan {
    uint64_t at = 0;  ///< A value of commits_.
    CommitFault fault = CommitFault::kLostRequest;
    Then then = Then::kFail;
  };

  /// Counts a commit; what is to become of it, if not the usual.
  std::optional<Plan> NextCommit();

  metadata::MetadataStore& store_;
  mutable base::Mutex mutex_;
  uint64_t commits_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<Plan> plan_ ABSL_GUARDED_BY(mutex_);
  bool is_dead_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace talosmq::support
