#include "storage/producer_snapshot.h"

#include "base/crc32c.h"
#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>
#include <array>
#include <set>

namespace talosmq::storage {
namespace {

constexpr size_t kCrcPosition = kSnapshotHeaderBytes - sizeof(uint32_t);

std::string EncodeProducer(const ProducerState& state) {
  std::string content(kSnapshotProducerBytes + state.batches().size() * kSnapshotBatchBytes, '\0');
  auto* to = reinterpret_cast<std::byte*>(content.data());
  base::StoreBigEndian(to, state.id.value());
  base::StoreBigEndian(to + 8, state.epoch);
  to[10] = std::byte{state.batches_count};
  base::StoreBigEndian(to + 12, absl::ToInt64Milliseconds(state.silence));
  to += kSnapshotProducerBytes;
  for (const ProducerBatch& batch : state.batches()) {
    base::StoreBigEndian(to, batch.first_sequence);
    base::StoreBigEndian(to + 4, batch.last_sequence);
    base::StoreBigEndian(to + 8, batch.first_offset.value());
    base::StoreBigEndian(to + 16, batch.last_offset.value());
    base::StoreBigEndian(to + 24, batch.timestamp_ms);
    to += kSnapshotBatchBytes;
  }
  return content;
}

/// Takes one producer off the front of `bytes`; nothing when they are not one.
std::optional<ProducerState> TakeProducer(base::ByteSpan& bytes) {
  if (bytes.size() < kSnapshotProducerBytes) return std::nullopt;
  ProducerState state{.id = ProducerId(base::LoadBigEndian<int64_t>(&bytes[0])),
                      .epoch = base::LoadBigEndian<int16_t>(&bytes[8]),
                      .silence = absl::Milliseconds(base::LoadBigEndian<int64_t>(&bytes[12])),
                      .batches_count = std::to_integer<uint8_t>(bytes[10])};
  bytes = bytes.subspan(kSnapshotProducerBytes);
  if (state.silence < absl::ZeroDuration() || state.batches_count < 1 ||
      state.batches_count > kProducerBatchesKept ||
      bytes.size() < state.batches_count * kSnapshotBatchBytes) {
    return std::nullopt;
  }
  for (size_t i = 0; i < state.batches_count; ++i) {
    state.batches_store[i] = {.first_sequence = base::LoadBigEndian<int32_t>(&bytes[0]),
                              .last_sequence = base::LoadBigEndian<int32_t>(&bytes[4]),
                              .first_offset = Offset(base::LoadBigEndian<int64_t>(&bytes[8])),
                              .last_offset = Offset(base::LoadBigEndian<int64_t>(&bytes[16])),
                              .timestamp_ms = base::LoadBigEndian<int64_t>(&bytes[24])};
    bytes = bytes.subspan(kSnapshotBatchBytes);
  }
  return state;
}

absl::Status Corrupt(std::string_view what) {
  return MakeError(Reason::kCorruptData, base::StrCat("producer snapshot: ", what));
}

absl::Status CheckHeader(base::ByteSpan bytes) {
  if (bytes.size() < kSnapshotHeaderBytes) return Corrupt("the header is cut off");
  const base::ByteSpan body = bytes.subspan(kSnapshotHeaderBytes);
  const uint32_t crc = base::Crc32c(body, base::Crc32c(bytes.first(kCrcPosition)));
  if (base::LoadBigEndian<uint32_t>(&bytes[0]) != kSnapshotMagic ||
      base::LoadBigEndian<uint32_t>(&bytes[kCrcPosition]) != crc) {
    return Corrupt("magic or checksum is wrong");
  }
  if (const auto version = std::to_integer<int>(bytes[4]); version != kSnapshotVersion) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("producer snapshot: expected version ", kSnapshotVersion,
                                  ", found ", version));
  }
  if (base::LoadBigEndian<uint32_t>(&bytes[40]) != body.size()) {
    return Corrupt(base::StrCat("expected ", base::LoadBigEndian<uint32_t>(&bytes[40]),
                                " bytes behind the header, found ", body.size()));
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeProducerSnapshot(const ProducerSnapshot& snapshot) {
  std::string body;
  for (const ProducerState& state : snapshot.producers) body += EncodeProducer(state);
  std::array<std::byte, kSnapshotHeaderBytes> header{};
  base::StoreBigEndian(&header[0], kSnapshotMagic);
  header[4] = std::byte{kSnapshotVersion};
  std::ranges::copy(base::AsBytes(snapshot.log.topic_id.bytes()), header.begin() + 8);
  base::StoreBigEndian(&header[24], snapshot.log.partition.value());
  base::StoreBigEndian(&header[28], snapshot.offset.value());
  base::StoreBigEndian(&header[36], static_cast<uint32_t>(snapshot.producers.size()));
  base::StoreBigEndian(&header[40], static_cast<uint32_t>(body.size()));
  base::StoreBigEndian(
      &header[kCrcPosition],
      base::Crc32c(base::AsBytes(body), base::Crc32c(base::ByteSpan(header).first(kCrcPosition))));
  return std::string(base::AsText(header)) + body;
}

absl::StatusOr<ProducerSnapshot> DecodeProducerSnapshot(base::ByteSpan bytes,
                                                        const TopicPartition& log, Offset offset) {
  TALOSMQ_RETURN_IF_ERROR(CheckHeader(bytes));
  if (base::AsText(bytes.subspan(8, 16)) != log.topic_id.bytes() ||
      base::LoadBigEndian<int32_t>(&bytes[24]) != log.partition.value() ||
      base::LoadBigEndian<int64_t>(&bytes[28]) != offset.value()) {
    return Corrupt("it is of another log or offset");
  }
  ProducerSnapshot snapshot{.log = log, .offset = offset, .producers = {}};
  const auto count = base::LoadBigEndian<uint32_t>(&bytes[36]);
  std::set<ProducerId> seen;
  base::ByteSpan rest = bytes.subspan(kSnapshotHeaderBytes);
  while (!rest.empty()) {
    auto state = TakeProducer(rest);
    if (!state) return Corrupt(base::StrCat("producer ", snapshot.producers.size(), " is broken"));
    if (!seen.insert(state->id).second) {
      return Corrupt(base::StrCat("producer ", state->id.value(), " stands in it twice"));
    }
    snapshot.producers.push_back(*state);
  }
  if (snapshot.producers.size() != count) {
    return Corrupt(
        base::StrCat("expected ", count, " producers, found ", snapshot.producers.size()));
  }
  return snapshot;
}

}  // namespace talosmq::storage
