// Any bytes as a segment: reading it batch by batch, and passing over its damage, ends after work
// in proportion to its size; the batches it gives lie one behind the other inside of the file, and
// their offsets inside of the segment.

#include "base/bytes.h"
#include "base/check.h"
#include "storage/segment_scanner.h"
#include "support/memory_file_system.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace talosmq::storage {
namespace {

void Scan(const io::File& file, uint64_t size) {
  constexpr Offset kEnd(1'000);
  SegmentScanner scanner(file, {.base = Offset(0), .end_offset = kEnd, .begin = 0, .end = size},
                         BatchChain(Offset(0), {}, Density::kDense));
  uint64_t end = 0;
  while (true) {
    const auto step = scanner.Next();
    TALOSMQ_CHECK(step.ok()) << step.status();
    if (step->batch) {
      TALOSMQ_CHECK(step->batch->position >= end);
      end = step->batch->position + step->batch->bytes.size();
      TALOSMQ_CHECK(end <= size);
      TALOSMQ_CHECK(step->batch->bytes.size() == step->batch->header.size());
      TALOSMQ_CHECK(step->batch->header.end_offset() <= kEnd);
      continue;
    }
    if (!step->mismatch) return;
    const uint64_t position = scanner.position();
    const uint64_t rechecked = scanner.rechecked_bytes();
    const auto goes_on = scanner.SkipDamage();
    TALOSMQ_CHECK(goes_on.ok()) << goes_on.status();
    TALOSMQ_CHECK(scanner.chain().next() < kEnd);
    const uint64_t passed = *goes_on ? scanner.position() - position : size - position;
    TALOSMQ_CHECK(scanner.rechecked_bytes() - rechecked <=
                  SegmentScanner::RecheckedBytesMax(passed, size));
    if (!*goes_on) return;
  }
}

}  // namespace
}  // namespace talosmq::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  talosmq::support::MemoryFileSystem disk;
  const auto file = disk.Open("segment", talosmq::io::OpenMode::kCreate);
  const std::array<talosmq::base::ByteSpan, 1> pieces = {std::as_bytes(std::span(data, size))};
  TALOSMQ_CHECK((*file)->Write(0, pieces).ok());
  talosmq::storage::Scan(**file, size);
  return 0;
}
