#include "storage/producer_table.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>

namespace talosmq::storage {
namespace {

absl::Status OutOfOrder(const record::BatchHeader& batch, int32_t expected) {
  return MakeError(
      Reason::kOutOfOrderSequence,
      base::StrCat("producer ", batch.producer_id.value(), " epoch ", batch.producer_epoch,
                   ": expected sequence ", expected, ", found ", batch.base_sequence));
}

int32_t LastSequence(const record::BatchHeader& batch) {
  return AdvanceSequence(batch.base_sequence, batch.last_offset_delta);
}

}  // namespace

bool operator==(const ProducerState& a, const ProducerState& b) {
  return a.id == b.id && a.epoch == b.epoch && a.silence == b.silence &&
         std::ranges::equal(a.batches(), b.batches());
}

int32_t AdvanceSequence(int32_t sequence, int32_t count) {
  constexpr int64_t kSequences = int64_t{1} << 31;
  return static_cast<int32_t>((int64_t{sequence} + count) % kSequences);
}

absl::StatusOr<std::optional<ProducerBatch>> ProducerTable::Check(
    const record::BatchHeader& batch) const {
  if (batch.producer_id == kNoProducer) return std::nullopt;
  const auto found = by_id_.find(batch.producer_id);
  if (found == by_id_.end()) return std::nullopt;
  const ProducerState& state = found->second->state;
  if (batch.producer_epoch == state.epoch) {
    const auto is_same = [&](const ProducerBatch& known) {
      return known.first_sequence == batch.base_sequence &&
             known.last_sequence == LastSequence(batch);
    };
    const auto original = std::ranges::find_if(state.batches(), is_same);
    if (original != state.batches().end()) return *original;
  }
  if (batch.producer_epoch < state.epoch) {
    return MakeError(Reason::kInvalidProducerEpoch,
                     base::StrCat("producer ", batch.producer_id.value(), ": expected epoch ",
                                  state.epoch, " or higher, found ", batch.producer_epoch));
  }
  const int32_t expected = batch.producer_epoch > state.epoch
                               ? 0
                               : AdvanceSequence(state.batches().back().last_sequence, 1);
  if (batch.base_sequence != expected) return OutOfOrder(batch, expected);
  return std::nullopt;
}

void ProducerTable::Add(const record::BatchHeader& batch, absl::Duration now) {
  if (batch.producer_id == kNoProducer || batch.base_sequence < 0) return;
  const auto [slot, is_new] = by_id_.try_emplace(batch.producer_id);
  if (is_new) {
    slot->second =
        by_age_.insert(by_age_.end(), {.state = {.id = batch.producer_id}, .last_append = now});
  } else {
    by_age_.splice(by_age_.end(), by_age_, slot->second);
  }
  by_age_.back().last_append = now;
  ProducerState& state = by_age_.back().state;
  if (state.epoch != batch.producer_epoch) state.batches_count = 0;
  state.epoch = batch.producer_epoch;
  if (state.batches_count == kProducerBatchesKept) {
    std::shift_left(state.batches_store.begin(), state.batches_store.end(), 1);
    --state.batches_count;
  }
  state.batches_store[state.batches_count++] = {.first_sequence = batch.base_sequence,
                                                .last_sequence = LastSequence(batch),
                                                .first_offset = batch.base_offset,
                                                .last_offset = batch.last_offset(),
                                                .timestamp_ms = batch.max_timestamp_ms};
  if (by_age_.size() > kProducersMax) ForgetOldest();
}

void ProducerTable::ForgetOldest() {
  by_id_.erase(by_age_.front().state.id);
  by_age_.pop_front();
}

void ProducerTable::ForgetSilent(absl::Duration silence_max, absl::Duration now) {
  while (!by_age_.empty() && now - by_age_.front().last_append > silence_max) ForgetOldest();
}

std::vector<ProducerState> ProducerTable::States(absl::Duration now) const {
  std::vector<ProducerState> states;
  states.reserve(by_age_.size());
  for (const Producer& producer : by_age_) {
    states.push_back(producer.state);
    states.back().silence = now - producer.last_append;
  }
  return states;
}

void ProducerTable::Restore(std::span<const ProducerState> states, absl::Duration now) {
  by_age_.clear();
  by_id_.clear();
  for (const ProducerState& state : states) {
    by_id_[state.id] =
        by_age_.insert(by_age_.end(), {.state = state, .last_append = now - state.silence});
  }
}

}  // namespace talosmq::storage
