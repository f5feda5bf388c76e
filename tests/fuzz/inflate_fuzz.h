#pragma once

#include "base/bytes.h"
#include "base/check.h"
#include "record/compression.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace talosmq::record {

/// Any bytes as a stream of `codec`: the cap holds, and what came out survives the way back.
inline void CheckInflate(Codec codec, const uint8_t* data, size_t size) {
  constexpr int64_t kInflatedBytesMax = 1 << 20;
  const auto inflated = Inflate(codec, std::as_bytes(std::span(data, size)), kInflatedBytesMax);
  if (!inflated.ok()) return;
  TALOSMQ_CHECK(inflated->size() <= static_cast<size_t>(kInflatedBytesMax)) << inflated->size();
  const auto compressed = Compress(codec, inflated->bytes());
  TALOSMQ_CHECK(compressed.ok()) << compressed.status();
  const auto again = Inflate(codec, compressed->bytes(), kInflatedBytesMax);
  TALOSMQ_CHECK(again.ok()) << again.status();
  TALOSMQ_CHECK(again->text() == inflated->text());
}

}  // namespace talosmq::record
