#include "storage/batch_chain.h"

#include "base/text.h"
#include "storage/epoch_history.h"

#include <algorithm>

namespace talosmq::storage {

namespace {

/// A record has at least 7 bytes, and the densest compression, a block of zstd that repeats one
/// byte, makes 128 KiB of 4.
constexpr uint64_t kOffsetsPerByteMax = (uint64_t{128} << 10) / 4 / 7 + 1;

}  // namespace

Damage DamageAt(const std::string& file, uint64_t position, const Mismatch& mismatch) {
  return {.file = file,
          .position = position + mismatch.position,
          .expected = mismatch.expected,
          .found = mismatch.found};
}

std::optional<Mismatch> BatchChain::CheckHeader(const record::BatchHeader& header) const {
  const bool is_dense = density_ == Density::kDense;
  if (is_dense ? header.base_offset != next_ : header.base_offset < next_) {
    return Mismatch{
        .position = record::kBaseOffsetPosition,
        .expected = base::StrCat("base offset ", next_.value(), is_dense ? "" : " or higher"),
        .found = base::StrCat(header.base_offset.value())};
  }
  if (auto mismatch = CheckCounts(header)) return mismatch;
  return CheckEpoch(header);
}

bool BatchChain::MayFollow(const record::BatchHeader& header, uint64_t skipped_bytes) const {
  if (header.base_offset <= next_ || CheckCounts(header) || CheckEpoch(header)) return false;
  if (density_ == Density::kCompacted) return true;
  return static_cast<uint64_t>(header.base_offset - next_) / kOffsetsPerByteMax <= skipped_bytes;
}

std::optional<Mismatch> BatchChain::CheckEpoch(const record::BatchHeader& header) const {
  if (header.epoch < epoch_) {
    return Mismatch{.position = record::kEpochPosition,
                    .expected = base::StrCat("epoch ", epoch_.value(), " or higher"),
                    .found = base::StrCat(header.epoch.value())};
  }
  if (!history_.empty() && header.epoch != EpochAt(history_, header.base_offset)) {
    return Mismatch{
        .position = record::kEpochPosition,
        .expected = base::StrCat("epoch ", EpochAt(history_, header.base_offset).value(),
                                 " by the epoch history"),
        .found = base::StrCat(header.epoch.value())};
  }
  return std::nullopt;
}

std::optional<Mismatch> BatchChain::CheckCounts(const record::BatchHeader& header) const {
  const bool is_dense = density_ == Density::kDense;
  const bool has_sane_count = is_dense
                                  ? header.count > 0 && header.last_offset_delta == header.count - 1
                                  : header.count >= 0 && header.last_offset_delta >= 0 &&
                                        header.last_offset_delta >= header.count - 1;
  if (!has_sane_count) {
    return Mismatch{
        .position = record::kLastOffsetDeltaPosition,
        .expected = is_dense ? "a last offset delta one below the number of records"
                             : "a last offset delta not below the number of records less one",
        .found = base::StrCat(header.last_offset_delta, " for ", header.count, " records")};
  }
  return std::nullopt;
}

std::optional<Mismatch> BatchChain::Accept(const record::BatchHeader& header,
                                           base::ByteSpan batch) {
  if (auto mismatch = CheckHeader(header)) return mismatch;
  if (const auto crc = record::VerifyCrc(batch); !crc.ok()) {
    return Mismatch{.position = record::kCrcPosition,
                    .expected = "a CRC that matches the batch",
                    .found = std::string(crc.message())};
  }
  next_ = header.end_offset();
  epoch_ = header.epoch;
  return std::nullopt;
}

std::optional<Mismatch> ParseWholeBatch(base::ByteSpan bytes, record::BatchHeader& header) {
  const auto parsed = record::ParseHeader(bytes);
  if (!parsed.ok()) {
    const base::ByteSpan start = bytes.first(std::min(bytes.size(), record::kHeaderBytes));
    const bool is_zero = std::ranges::all_of(start, [](std::byte b) { return b == std::byte{}; });
    return Mismatch{.position = 0,
                    .expected = "a batch",
                    .found = is_zero ? base::StrCat(start.size(), " or more zero bytes")
                                     : std::string(parsed.status().message())};
  }
  if (parsed->size() > bytes.size()) {
    return Mismatch{.position = record::kLengthPosition,
                    .expected = base::StrCat("a batch of at most ", bytes.size(), " bytes"),
                    .found = base::StrCat("one of ", parsed->size())};
  }
  header = *parsed;
  return std::nullopt;
}

}  // namespace talosmq::storage
