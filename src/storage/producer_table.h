#pragma once

#include "record/batch.h"
#include "talosmq/ids.h"

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <vector>

namespace talosmq::storage {

/// One batch of an idempotent producer, as far as a repetition of it has to be recognised.
struct ProducerBatch {
  int32_t first_sequence = 0;
  int32_t last_sequence = 0;
  Offset first_offset;
  Offset last_offset;
  int64_t timestamp_ms = 0;  ///< The batch's max timestamp.
  friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

inline constexpr size_t kProducerBatchesKept = 5;

/// What a log knows of one producer.
struct ProducerState {
  ProducerId id;
  int16_t epoch = -1;
  /// Since its last batch, when the state was taken; time in which no server ran is left out.
  absl::Duration silence = {};
  uint8_t batches_count = 0;  ///< 1 to kProducerBatchesKept.
  std::array<ProducerBatch, kProducerBatchesKept> batches_store{};

  /// Oldest first.
  std::span<const ProducerBatch> batches() const { return {batches_store.data(), batches_count}; }
  friend bool operator==(const ProducerState& a, const ProducerState& b);
};

/// The idempotent producers of one log and their last batches.
///
/// Invariants:
/// 1. What it knows of a producer follows from the batches of the log alone, so a replay gives the
///    same. It may bring back one that was forgotten for its silence: nothing that producer may
///    send is refused for it, since it goes on where its last batch in the log ended.
/// 2. At most kProducersMax producers; the one that appended longest ago makes room. Of one that is
///    forgotten any sequence is accepted, as from a producer never seen.
/// Times are readings of a monotonic clock: neither a wall clock that jumps nor the timestamps of
/// clients make a producer forgotten.
/// Thread-compatible.
class ProducerTable {
 public:
  static constexpr size_t kProducersMax = 4096;

  ProducerTable() = default;
  ProducerTable(ProducerTable&&) noexcept = default;
  ProducerTable& operator=(ProducerTable&&) noexcept = default;

  /// Whether a batch may be appended: nothing, or the earlier batch that it repeats. Rules in the
  /// order of Kafka: an exact repetition of one of the last five; a lower epoch is
  /// kInvalidProducerEpoch; a higher one has to begin at sequence 0; within an epoch sequences
  /// follow without gap, 0 after 2^31-1, else kOutOfOrderSequence; an unknown producer may begin
  /// anywhere. A batch without producer id always may.
  absl::StatusOr<std::optional<ProducerBatch>> Check(const record::BatchHeader& batch) const;

  /// Notes a batch that was appended; `batch` has its offset already.
  void Add(const record::BatchHeader& batch, absl::Duration now);

  /// Forgets who has been silent for longer than `silence_max`.
  void ForgetSilent(absl::Duration silence_max, absl::Duration now);

  /// The one that appended longest ago first, which is the order that Restore takes.
  std::vector<ProducerState> States(absl::Duration now) const;
  /// Replaces the content.
  void Restore(std::span<const ProducerState> states, absl::Duration now);

  size_t size() const { return by_id_.size(); }

 private:
  struct Producer {
    ProducerState state;  ///< But for its silence.
    absl::Duration last_append;
  };

  void ForgetOldest();

  std::list<Producer> by_age_;  ///< The one that appended last at the back.
  absl::flat_hash_map<ProducerId, std::list<Producer>::iterator> by_id_;
};

/// `sequence` + `count`, with 0 after 2^31-1.
int32_t AdvanceSequence(int32_t sequence, int32_t count);

}  // namespace talosmq::storage
