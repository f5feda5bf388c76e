#pragma once

#include "base/executor.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "io/deferred_sync.h"
#include "storage/deferred_flush.h"
#include "storage/direct_flush.h"
#include "storage/flush_target.h"
#include "storage/journal.h"
#include "storage/storage_metrics.h"

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace talosmq::storage {

/// Makes a group durable by one write to the shared journal, and brings its batches to their
/// segments later, in larger pieces; what is large, or one of few, goes straight to its segment
/// (docs/adr/0006-journal.md). When more comes than the write-back keeps up with, what is worth a
/// write of its own is not journaled: it is durable with its write-back
/// (docs/adr/0008-no-journal-under-load.md).
///
///   group --few logs, or much of one log--> segments
///     |                                        ^
///     +--many logs--> journal, held in memory --+  write-back: oldest logs first, once enough
///     |                                        |   waits
///     +--many logs under load----> held -------+
///
/// Invariants:
/// 1. Batches of one log reach its segments in their order: what goes straight there takes along
///    what is still held of that log.
/// 2. Only one executor at a time touches the files of a log.
/// 3. What is held and not in the segments is in a group of the journal that counts, so a process
///    that ends finds it again. It stays so after a failed write-back, and of what a start could
///    not bring to the segments: such writes are stranded until the log is open again (or deleted).
/// 4. At most Options::held_bytes_max and one group are held.
/// 5. While something of a log is awaited (neither journaled nor in its segments), so is all that
///    comes after it.
/// Confined to the flush executor, but for (Has|Drop)Stranded, which are thread-safe.
class JournaledFlush final : public FlushTarget {
 public:
  struct Options {
    int64_t held_bytes_max = int64_t{128} << 20;
    /// A group of at most so many logs goes straight to its segments.
    size_t direct_logs_max = 4;
    /// So does what one log brings at once of at least so much.
    int64_t direct_bytes_min = int64_t{256} << 10;
    /// Under load, what one log brings of at least so much is not journaled: from here on a write
    /// of its own costs less than to write everything twice.
    int64_t awaited_bytes_min = int64_t{8} << 10;
    /// Size of the journal files that count at which their oldest logs are written back.
    uint64_t journal_bytes_max = uint64_t{512} << 20;
  };
  struct Dependencies {
    io::FileSystem& file_system;
    io::DeferredSync& deferred_sync;  ///< Confined to the write-back executor.
    Catalogue& catalogue;
    StorageMetrics& metrics;
    Journal& journal;
    base::Executor& flush_executor;
    base::Executor& write_back_executor;
    base::Gate& gate;  ///< Held by tasks; closed before this goes.
    Listener& listener;
  };
  JournaledFlush(Options options, Dependencies dependencies);

  void MakeDurable(std::span<LogWrite> group, int64_t backlog_bytes) override;
  /// Called from time to time. When little was held since the last call, load ends; when nothing
  /// has come, all that is held is brought to its segments, so that nothing depends on the journal
  /// of a server without load.
  void EndInterval();
  bool has_room() const override {
    return held_bytes_ == 0 || held_bytes_ < options_.held_bytes_max;
  }
  int64_t held_bytes() const override;
  JournalMark journal_mark() const override;
  bool IsAwaited(const LogFiles* files) const override;
  void WriteBack(const LogFiles& files) override;
  void Release(std::shared_ptr<LogFiles> files, base::Task done) override;

  /// Takes what a start could not bring to the segments; it is in the newest group of the journal.
  /// Before anything else is called.
  void TakeStranded(std::vector<LogWrite> writes);
  /// What could not be brought to the segments of a log, for its next opening.
  std::optional<LogWrite> Stranded(const TopicPartition& log) const;
  bool HasStranded(const TopicPartition& log) const;
  /// It is in the segments now, or never will be: the log was deleted.
  void DropStranded(const TopicPartition& log);

 private:
  /// Of one log, and nobody writes it yet.
  struct Held {
    LogWrite write;
    /// Of the oldest group of the journal with some of it, or of the next group if there is none.
    uint64_t sequence = 0;
    bool is_awaited = false;  ///< The end of it is not in the journal.
  };
  using HeldList = std::list<Held>;
  /// Being brought to the segments.
  struct WriteBackJob {
    std::vector<LogWrite> writes;
    uint64_t oldest = 0;  ///< Of the sequences of all.
  };
  /// What keeps load from ending.
  bool holds_much() const { return held_bytes_ >= options_.held_bytes_max / 4; }
  bool IsInCatalogue(const LogFiles& files) const;
  void JudgeLoad(int64_t backlog_bytes);
  WritePlace PlaceOf(const LogWrite& write, size_t small_logs) const;
  void WriteJournal(std::span<LogWrite* const> writes);
  /// Of the newest group of the journal; failure_ says whether that went well.
  void GiveUp();
  void WriteDirectly(std::span<LogWrite* const> writes);
  absl::Status EnterCatalogue(std::span<LogWrite* const> writes);
  void Hold(Held held);
  void HoldJournaled(LogWrite& write, uint64_t sequence);
  void Await(LogWrite& write);
  /// Takes a log out of what is held.
  Held TakeHeld(HeldList::iterator held);
  /// Of what is held, being written back or stranded; 0: nothing.
  uint64_t oldest_sequence() const;
  void StartWriteBack();
  void FinishWriteBack(WriteBackJob done);
  void Strand(Held held);
  void StrandHeld(HeldList::iterator held);
  /// Writes what is stranded to the journal once more, at most once for each file of it, so that
  /// its old groups do not keep the files of all groups behind them.
  void RenewStranded();
  void FinishReleases();

  const Options options_;
  const Dependencies dependencies_;
  DirectFlush direct_;
  DeferredFlush write_back_;  ///< Confined to the write-back executor.

  absl::Status failure_;  ///< Not OK: the journal cannot be trusted, nothing is made durable.
  HeldList held_;         ///< Ascending by sequence.
  absl::flat_hash_map<const LogFiles*, HeldList::iterator> held_by_log_;
  int64_t held_bytes_ = 0;   ///< Of held_ and of what is being written back.
  size_t awaited_logs_ = 0;  ///< Of held_.
  /// More comes than the write-back keeps up with.
  bool is_under_load_ = false;
  bool has_seen_load_ = false;  ///< Since the last EndInterval().
  bool has_new_ = false;        ///< The same.
  bool is_idle_ = false;
  /// Keys of held_by_log_ that the next write-back takes along however little is held.
  absl::flat_hash_set<const LogFiles*> urgent_;
  /// Of the write-back under way: its logs, and the oldest sequence of them; 0: none.
  enum class WrittenBack { kJournaled, kAwaited };
  absl::flat_hash_map<const LogFiles*, WrittenBack> written_back_logs_;
  uint64_t written_back_oldest_ = 0;
  struct PendingRelease {
    std::shared_ptr<LogFiles> files;
    std::vector<base::Task> done;
  };
  absl::flat_hash_map<const LogFiles*, PendingRelease> releases_;

  mutable base::Mutex mutex_;
  std::map<TopicPartition, Held> stranded_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::storage
