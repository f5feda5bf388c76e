#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "broker/options.h"
#include "storage/log_store.h"
#include "storage/partition_log.h"
#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <memory>

namespace talosmq::broker {

/// The log of one partition over its whole life in this process: opened on first use, given up
/// after an I/O error, opened again by itself once it has rested.
///
///   closed --Open--> opening --> open --Fence--> closing --> closed (rests, then opens)
///                       |                           ^
///                       +--error--> closed (rests)  +-- Shut (for good)
///
/// A log whose records are lost or damaged is opened again on the next use only.
///
/// Invariants:
/// 1. At most one PartitionLog is open; it goes only when none of its jobs is under way.
/// 2. After Fence() nothing is appended or read before the log was recovered anew.
/// Confined to the shard. Owns the PartitionLog. Destroyed only after Shut() has called back.
class ReopenableLog {
 public:
  /// Told of what happens to the log, on the shard.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnLogOpened() = 0;
    /// It could not be opened, or was fenced: all that waits for it has to be answered.
    virtual void OnLogFailed(const absl::Status& status) = 0;
    virtual void OnLogDurable() = 0;
    /// Opening it, or a read, has met damage that stays on the disk; what lies around it is served.
    virtual void OnLogDamaged(const absl::Status& damage) = 0;
  };

  struct Dependencies {
    storage::LogStore& store;
    base::Executor& shard;
    const base::Clock& clock;
  };

  ReopenableLog(TopicPartition id, const PartitionOptions& options, Dependencies dependencies,
                Owner& owner);

  /// Null unless open.
  storage::PartitionLog* open() const { return state_ == State::kOpen ? log_.get() : nullptr; }
  /// Of the open or closing log, whose last flushes still come in.
  Offset durable_end() const { return log_->durable_end(); }
  /// Starts to open it unless it is open or being opened. While it rests: the error it rests for.
  absl::Status Open(const storage::LogOptions& options);

  /// These need an open log and call back exactly once.
  void Read(const storage::ReadRequest& request,
            base::Callback<absl::StatusOr<storage::ReadResult>> done);
  void FindOffset(absl::Time time, Offset limit, base::Callback<absl::StatusOr<Offset>> done);
  void MoveLogStart(Offset offset, base::Callback<absl::Status> done);
  void ApplyRetention(absl::Time now, Offset limit, base::Callback<absl::Status> done);
  void Compact(absl::Time now, Offset limit, base::Callback<absl::Status> done);

  /// Gives the open log up for `cause`, telling the owner.
  void Fence(const absl::Status& cause);
  /// For good: lets what was appended become durable, closes, then runs `done` on the shard.
  void Shut(base::Task done);

  /// Why the log is not usable; OK while it is.
  const absl::Status& trouble() const { return trouble_; }

 private:
  enum class State { kClosed, kOpening, kOpen, kClosing };

  void OnOpenDone(absl::StatusOr<storage::LogStore::OpenedLog> opened);
  void OnDurable(const absl::Status& status);
  /// `done`, and what follows when it has run.
  base::Callback<absl::Status> Job(base::Callback<absl::Status> done);
  void OnJobDone();
  void Rest(const absl::Status& trouble, Reason cause);
  void OpenAfterRest();
  void BeginClosing();
  void CloseWhenQuiet();
  void OnClosed();

  const TopicPartition id_;
  const PartitionOptions& options_;
  const Dependencies dependencies_;
  Owner& owner_;

  State state_ = State::kClosed;
  std::unique_ptr<storage::PartitionLog> log_;
  int64_t jobs_ = 0;          ///< Under way on log_.
  bool close_begun_ = false;  ///< log_->Close was called.
  absl::Status trouble_;
  /// Whether it rests for lost or damaged records; users are told of a fence then, too.
  bool is_damaged_ = false;
  absl::Duration backoff_;     ///< Of the next rest.
  absl::Duration rest_until_;  ///< By the monotonic clock.
  base::TimerId rest_timer_ = base::TimerId::kNone;
  storage::LogOptions log_options_;  ///< Of the last Open().
  base::Task shut_;                  ///< Set by Shut; what to run when all is closed.
  bool is_shut_ = false;
};

}  // namespace talosmq::broker
