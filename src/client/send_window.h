#pragma once

#include "base/bytes.h"
#include "client/batch_queue.h"
#include "client/produce_outcome.h"
#include "record/batch.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::client {

/// The end of a batch's story: what its deliveries will say.
struct SettledBatch {
  std::unique_ptr<Batch> batch;
  absl::Status status;
  Offset base_offset;  ///< Holds when status is OK.
};

/// The batches of one partition that are under way: which may be sent, which must be sent again,
/// and what each of them came to. Pure: outcomes and time in, attempts and settled batches out.
///
/// How an idempotent producer neither duplicates nor reorders (G4). The broker takes a batch of an
/// identity (producer id and epoch) only when its sequence follows the one before, or when it knows
/// the identity not at all; and it answers a repeated batch as it did the first time if it is among
/// the last five. Hence:
/// 1. Batches are stamped and first sent in order, none of them in_flight_max (1 to 5) or more
///    behind the oldest that is unsettled, whether those between are settled or not: so the broker
///    still knows that one when it must be sent again.
/// 2. Until the first batch of an identity is stored, it is alone: a broker that refused it and
///    knows nothing of the identity would take the second one first.
/// 3. When one is refused or its outcome is lost, the window rewinds: it waits for the answers that
///    are still to come, then sends all that are unsettled again, the same bytes in the same order.
///    A sequence error of a later batch is then only the echo of the earlier refusal.
/// 4. The chain breaks when a batch that is not stored, for all we know, leaves the window: refused
///    for good, timed out, or the first one met a sequence error. Nothing new is sent under that
///    identity. Batches that certainly were not stored are handed back to be stamped anew; those
///    that may be stored are sent on under the old identity until they are answered: stored, or
///    refused for their sequence, which cannot be told from an earlier attempt that is still on its
///    way, so it is reported as kMaybeStored. With the window empty, the next identity begins.
/// 5. A batch that times out while an attempt is out is reported at once, as kMaybeStored unless no
///    attempt has left this process, and leaves its place: stored after all, and the chain goes on;
///    anything else breaks it.
///
/// A batch whose outcome was once lost never ends as certainly not stored.
/// Without idempotence a lost outcome settles as kMaybeStored (or is sent again, see
/// UnknownOutcome), and a batch that is sent again may come to stand behind later ones.
///
/// Confined to the executor of its sender. Owns its batches until they are settled or handed back.
class SendWindow {
 public:
  /// What becomes of a batch that may be stored, when nothing tells the broker a repeated one.
  enum class UnknownOutcome { kSettles, kIsSentAgain };

  struct Options {
    int32_t in_flight_max = 5;
    bool idempotent = true;
    UnknownOutcome without_idempotence = UnknownOutcome::kSettles;
  };
  struct Attempt {
    uint64_t id = 0;
    base::Buffer bytes;
    absl::Duration opened;  ///< When the batch was opened, monotonic.
  };

  explicit SendWindow(const Options& options) : options_(options) {}

  /// The identity for the batches to come, from sequence 0 on. Only while the window is empty.
  void BeginIdentity(ProducerId id, int16_t epoch);
  /// True when the chain is broken and everything under the old identity is settled.
  bool NeedsIdentity() const { return is_broken_ && entries_.empty(); }

  /// True when a new batch may be admitted now.
  bool HasRoom() const;
  /// Takes a sealed batch behind the others; stamps it anew if it must.
  void Admit(std::unique_ptr<Batch> batch);
  /// The next batch to be sent, in order; nothing when none may be sent now.
  std::optional<Attempt> NextAttempt();

  /// The attempt is being handed to the network: from now on the batch may come to be stored.
  void NoteLeaving(uint64_t attempt);
  /// An attempt ended. An attempt of a batch that is gone is ignored.
  void Settle(uint64_t attempt, const ProduceOutcome& outcome, std::vector<SettledBatch>& settled);
  /// Gives up the batches that were opened at or before `cutoff`.
  void Expire(absl::Duration cutoff, std::vector<SettledBatch>& settled);
  /// Gives up everything; answers that still come are ignored.
  void FailAll(const absl::Status& why, std::vector<SettledBatch>& settled);
  /// After the chain broke: the batches that certainly are not stored and may go under the next
  /// identity, the last one first. Empty while answers are still to come.
  std::vector<std::unique_ptr<Batch>> HandBack();

  /// What the next batch will be stamped with.
  const record::ProducerStamp& next_stamp() const { return next_stamp_; }
  /// When the oldest batch was opened; infinite when there is none.
  absl::Duration OldestOpened() const;

 private:
  struct Entry {
    std::unique_ptr<Batch> batch;  ///< Null: reported already, its outcome is awaited.
    uint64_t number = 0;           ///< Of the batches of this window, in order.
    uint64_t attempt = 0;          ///< The one that is out; 0: none.
    bool has_left = false;         ///< That attempt was handed to the network.
    bool may_be_stored = false;    ///< An attempt has ended without a certain answer.
    absl::Status last_error;
  };

  std::deque<Entry>::iterator Find(uint64_t attempt);
  bool AnyAttemptOut() const;
  void SettleRefused(std::deque<Entry>::iterator entry, const ProduceOutcome& outcome,
                     std::vector<SettledBatch>& settled);
  void SettleSequenceError(std::deque<Entry>::iterator entry, const absl::Status& status,
                           std::vector<SettledBatch>& settled);
  /// Removes the entry with this as the end of its story.
  void End(std::deque<Entry>::iterator entry, absl::Status status,
           std::vector<SettledBatch>& settled);
  void Break();

  const Options options_;
  std::deque<Entry> entries_;
  record::ProducerStamp next_stamp_;
  uint64_t next_number_ = 0;
  uint64_t last_attempt_ = 0;
  bool is_proven_ = false;     ///< A batch of this identity was stored.
  bool is_broken_ = false;     ///< Nothing new under this identity.
  bool is_rewinding_ = false;  ///< Waits for answers before anything is sent again.
};

}  // namespace talosmq::client
